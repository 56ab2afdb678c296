"""Whether two images are on one grid."""

import numpy as np
import pytest

from uumamba.core.errors import InputError
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image


def image_with(shape: tuple[int, int, int] = (20, 20, 5), origin: float = 0.0, spacing: float = 1.5) -> Image:
    """An image of zeros with thick slices."""
    affine = np.diag([spacing, spacing, 8.0, 1])
    affine[0, 3] = origin
    return Image(np.zeros(shape), affine)


def test_same_grid_passes_with_the_rounding_of_a_header() -> None:
    require_same_grid(image_with(), image_with(origin=0.01, spacing=1.50001), "a", "b")
    require_same_grid(image_with(), image_with(), "a", "b")
    assert image_with().spacing_mm == (1.5, 1.5, 8.0)


@pytest.mark.parametrize(
    ("other", "numbers"),
    [
        (image_with(shape=(20, 21, 5)), "shape 20 x 21 x 5 against 20 x 20 x 5"),
        (image_with(spacing=1.0), "spacing 1 x 1 x 8 against 1.5 x 1.5 x 8 mm"),
        (image_with(origin=4.5), "origins 4.5 mm apart"),
        (Image(np.zeros((20, 20, 5)), image_with().affine @ np.diag([-1, 1, 1, 1])), "axes up to 180 degrees apart"),
    ],
)
def test_different_grids_are_refused_with_the_numbers(other: Image, numbers: str) -> None:
    with pytest.raises(InputError) as error:
        require_same_grid(image_with(), other, "scan.nii", "labels.nii")
    assert str(error.value).startswith("labels.nii: not on the grid of scan.nii: ")
    assert numbers in str(error.value)
    assert str(error.value).endswith("resample one to the other")
