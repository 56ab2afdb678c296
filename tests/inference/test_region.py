"""The box around what a coarse network finds: all of it, with the margin, and not much more."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.fakes.plan import fake_plan
from uumamba.core.labels import LabelSet
from uumamba.inference.region import NOT_FOUND, Region, RegionFinder, bounds_of, region_flags, search, searching_bytes
from uumamba.inference.roi import RoiDescription
from uumamba.models.baselines import NnunetPlainSettings

SHAPE, SPACING_MM = (24, 40, 48), (5.0, 2.0, 1.0)


class Bright(nn.Module):
    """Finds what is brighter than a half, as a network would that has learned it."""

    def forward(self, windows: Tensor) -> Tensor:
        """Scores (window, 2, *patch) of windows (window, 1, *patch)."""
        return torch.cat([torch.full_like(windows, 0.5), windows], dim=1)


def finder(*, margin_mm: float = 0.0, smallest_share: float = 0.0) -> RegionFinder:
    """On a grid of 5 x 4 x 4 mm."""
    changes = {"labels": LabelSet(names=("background", "region")), "spacing_mm": (5.0, 4.0, 4.0)}
    plan = fake_plan((8, 16, 16)).model_copy(update=changes)
    roi = RoiDescription(plan=plan, network=NnunetPlainSettings(), margin_mm=margin_mm, smallest_share=smallest_share)
    return RegionFinder(Bright(), roi, torch.device("cpu"))


def bright(*boxes: Sequence[slice]) -> np.ndarray:
    """An image (1, *SHAPE) that is 1 in the boxes and 0 elsewhere."""
    image = np.zeros((1, *SHAPE), np.float32)
    for box in boxes:
        image[0, *box] = 1
    return image


BALL = (slice(8, 12), slice(10, 20), slice(16, 28))
SPECK = (slice(20, 21), slice(36, 40), slice(44, 48))


def test_the_box_holds_what_is_found_in_the_voxels_of_the_fine_grid() -> None:
    assert finder().find(bright(BALL), SPACING_MM) == ((8, 12), (10, 20), (16, 28))
    assert finder().find(bright(), SPACING_MM) is None


def test_the_margin_is_in_millimetres_and_ends_at_the_image() -> None:
    assert finder(margin_mm=6).find(bright(BALL), SPACING_MM) == ((6, 14), (7, 23), (10, 34))
    assert finder(margin_mm=1000).find(bright(BALL), SPACING_MM) == tuple((0, size) for size in SHAPE)


def test_all_large_components_count_and_specks_do_not() -> None:
    both = bright(BALL, SPECK)
    assert finder().find(both, SPACING_MM) == ((8, 21), (10, 40), (16, 48))
    assert finder(smallest_share=0.1).find(both, SPACING_MM) == ((8, 12), (10, 20), (16, 28))
    assert bounds_of(np.zeros((3, 3, 3), bool)) is None
    assert bounds_of(np.eye(3, dtype=bool)[None]) == ((0, 1), (0, 3), (0, 3))


def test_a_region_holds_all_that_any_finder_found() -> None:
    region = search([finder(), finder(margin_mm=6)], bright(BALL), SPACING_MM, patch_size=(1, 1, 1))
    assert region == Region(((6, 14), (7, 23), (10, 34)), found=True)
    assert region.inside == (slice(6, 14), slice(7, 23), slice(10, 34))


def test_without_finders_or_a_find_it_is_the_whole_image() -> None:
    whole = Region(tuple((0, size) for size in SHAPE), found=False)  # type: ignore[arg-type]
    assert search([], bright(BALL), SPACING_MM, patch_size=(4, 4)) == whole
    assert search([finder()], bright(), SPACING_MM, patch_size=(4, 4)) == whole


@given(patch=st.tuples(*[st.integers(1, 60)] * 3), start=st.tuples(st.integers(0, 20), st.integers(0, 30)))
def test_a_window_sees_the_image_and_not_zeros_around_the_cut(patch: tuple[int, ...], start: tuple[int, int]) -> None:
    box = (slice(start[0], start[0] + 4), slice(start[1], start[1] + 10), slice(16, 28))
    small = search([finder()], bright(box), SPACING_MM, patch_size=(1, 1, 1)).bounds
    large = search([finder()], bright(box), SPACING_MM, patch_size=patch).bounds
    for (low, high), (before, after), length, size in zip(large, small, patch, SHAPE, strict=True):
        assert 0 <= low <= before < after <= high <= size
        assert high - low == max(after - before, min(length, size))


def test_a_network_of_slices_needs_no_more_of_them() -> None:
    assert search([finder()], bright(BALL), SPACING_MM, patch_size=(30, 20)).bounds == ((8, 12), (0, 30), (12, 32))


def test_a_label_map_that_reaches_an_open_end_is_flagged() -> None:
    region, labels = Region(((2, 6), (0, 4), (0, 4)), found=True), np.zeros((4, 4, 4), np.uint8)
    ends = [(True, False), (False, False), (False, True)]
    labels[3, 0, 0] = labels[1, 3, 1] = 2
    assert region_flags(region, labels, ends) == ()
    labels[1, 1, 3] = 1
    (flag,) = region_flags(region, labels, ends)
    assert flag.code == "roi"
    assert flag.sentence.startswith("the label map reaches the border of the region of interest and may go on beyond")
    assert region_flags(Region(region.bounds, found=False), labels, ends) == (NOT_FOUND,)


@pytest.mark.parametrize("shape", [(24, 40, 48), (24, 400, 480)])
def test_a_larger_image_takes_more(shape: tuple[int, ...]) -> None:
    plan = finder().description.plan
    assert searching_bytes(shape, SPACING_MM, plan) > searching_bytes((20, 40, 48), SPACING_MM, plan)
