"""Bodies whose distances are known: a shifted slab, concentric balls, shifted balls, a box's area."""

import numpy as np
import pytest
from numpy.typing import NDArray

from uumamba.metrics import METRICS, assd_mm, dice, hausdorff95_mm, hausdorff_mm, surface_dice
from uumamba.metrics.surface_dice import surface_elements

SPACING_MM = (1.5, 1.0, 2.0)


def ball(radius_mm: float, centre_mm: tuple[float, float, float] = (40, 40, 40)) -> NDArray[np.bool_]:
    """A ball in an image of about 80 mm with `SPACING_MM`."""
    axes = np.meshgrid(*(np.arange(0, 80, step) for step in SPACING_MM), indexing="ij")
    squares = sum((axis - centre) ** 2 for axis, centre in zip(axes, centre_mm, strict=True))
    return np.asarray(squares <= radius_mm**2)


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_slab_shifted_along_an_axis(shift: int) -> None:
    slab = np.zeros((40, 6, 6), dtype=bool)
    slab[10:20] = True
    moved = np.roll(slab, shift, axis=0)
    assert dice(moved, slab, SPACING_MM) == pytest.approx((10 - shift) / 10)
    assert hausdorff_mm(moved, slab, SPACING_MM) == pytest.approx(1.5 * shift)


def test_parallel_planes() -> None:
    first, second = np.zeros((2, 20, 8, 8), dtype=bool)
    first[3], second[7] = True, True
    for name in ("hd_mm", "hd95_mm", "assd_mm"):
        assert METRICS[name].function(first, second, SPACING_MM) == pytest.approx(4 * 1.5)
    # the tolerance is reached exactly: within
    assert surface_dice(first, second, SPACING_MM, tolerance_mm=6.0) == pytest.approx(1.0)
    assert surface_dice(first, second, SPACING_MM, tolerance_mm=4.4) == 0.0


def test_concentric_balls() -> None:
    small, large = ball(20), ball(28)
    voxel = float(np.linalg.norm(SPACING_MM))
    for function in (hausdorff_mm, hausdorff95_mm, assd_mm):
        assert function(small, large, SPACING_MM) == pytest.approx(8, abs=voxel)
    assert assd_mm(small, large, SPACING_MM) == pytest.approx(8, abs=0.5)
    assert dice(small, large, SPACING_MM) == pytest.approx(2 * 20**3 / (20**3 + 28**3), rel=0.01)
    assert surface_dice(small, large, SPACING_MM, tolerance_mm=8 - voxel) == 0.0
    assert surface_dice(small, large, SPACING_MM, tolerance_mm=8 + voxel) == 1.0


def test_an_outlier_moves_the_hausdorff_distance_and_not_its_percentile() -> None:
    clean, spotted = ball(20), ball(20)
    spotted[0, 0, 0] = True
    assert hausdorff95_mm(spotted, clean, SPACING_MM) == 0.0
    hausdorff = hausdorff_mm(spotted, clean, SPACING_MM)
    assert hausdorff == pytest.approx(np.sqrt(3) * 40 - 20, abs=2)


def test_area_of_a_ball_and_of_a_thin_plate() -> None:
    _, areas = surface_elements(ball(25), SPACING_MM)
    assert areas.sum() == pytest.approx(4 * np.pi * 25**2, rel=0.12)
    plate = np.zeros((3, 200, 200), dtype=bool)
    plate[1] = True
    _, areas = surface_elements(plate, SPACING_MM)
    assert areas.sum() == pytest.approx(2 * 200 * 1.0 * 200 * 2.0, rel=0.03)


def test_a_cap_counts_by_its_area_and_not_by_its_voxels() -> None:
    spacing = (1.5, 1.5, 10.0)
    reference = np.zeros((60, 60, 12), dtype=bool)
    reference[10:50, 10:50, 2:10] = True
    prediction = reference.copy()
    prediction[..., 9] = False
    cap, wall = (40 * 1.5) ** 2, 4 * 40 * 1.5 * 10
    missed = 2 * cap + wall
    whole = 2 * (2 * cap) + (8 + 7) * wall
    found = surface_dice(prediction, reference, spacing, tolerance_mm=2.0)
    assert found == pytest.approx(1 - missed / whole, abs=0.04)
