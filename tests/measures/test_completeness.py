"""A whole ventricle passes, whatever way its axes lie; one that is cut does not."""

import numpy as np
import pytest

from tests.fakes.beating import LABELS, draw_beat
from uumamba.measures import Measurement, incompleteness, structure_volumes, whole_volumes

THICK, CUBES = (1.5, 1.5, 8.0), (1.0, 1.0, 1.0)


def stack(*widths: int) -> np.ndarray:
    """A mask (20, 20, slices): in each slice a square of this width in the middle."""
    mask = np.zeros((20, 20, len(widths)), dtype=bool)
    for index, width in enumerate(widths):
        mask[3 : 3 + width, 3 : 3 + width, index] = True
    return mask


@pytest.mark.parametrize("group", ["NOR", "DCM", "HCM", "RV", "MINF"])
def test_the_phantom_is_whole(group: str) -> None:
    beat = draw_beat((2.0, 2.0, 10.0), group=group, frames=2)
    for frame in (0, 1):
        label_map = beat.labels[..., frame]
        counted = structure_volumes(label_map, beat.spacing_mm, LABELS)
        assert whole_volumes(label_map, beat.spacing_mm, LABELS) == counted


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (stack(0, 0), "LV is absent"),
        (stack(0, 8, 0), "LV is in slice 2 alone"),
        (stack(8), "LV is in slice 1 alone"),
        (stack(0, 8, 0, 6, 4), "LV is missing in slice 3, between slices that have it"),
        (stack(8, 0, 8, 0, 0, 4), "LV is missing in slice 2, 4, 5, between slices that have it"),
        (stack(8, 17, 4), "LV is cut by the field of view: 33 voxels on the border of its slices"),
        (
            stack(9, 10, 8),
            "LV is cut by both ends of the stack: the first and the last slice have 81 % and 64 % of its largest area",
        ),
    ],
)
def test_reasons(mask: np.ndarray, reason: str) -> None:
    assert incompleteness(mask, THICK, "LV") == reason


@pytest.mark.parametrize("mask", [stack(10, 10, 7), stack(7, 10, 10), stack(0, 10, 9), stack(10, 0), stack(2, 10, 2)])
def test_stacks_that_end_with_the_ventricle_are_whole(mask: np.ndarray) -> None:
    expected = "LV is in slice 1 alone" if mask.shape[2] == 2 else None
    assert incompleteness(mask, THICK, "LV") == expected


def test_thin_slices_must_not_hold_it_at_either_end() -> None:
    assert incompleteness(stack(0, 10, 9, 0), CUBES, "LV") is None
    assert incompleteness(stack(2, 10, 9, 0), CUBES, "LV") == "LV is cut by the field of view: it is on the first slice"
    assert incompleteness(stack(0, 10, 9), CUBES, "LV") == "LV is cut by the field of view: it is on the last slice"


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_axes_may_lie_in_any_order(axes: tuple[int, int, int]) -> None:
    mask, spacing = stack(8, 0, 6).transpose(axes), tuple(THICK[axis] for axis in axes)
    assert incompleteness(mask, spacing, "LV") == "LV is missing in slice 2, between slices that have it"


def test_volumes_are_numbers_or_reasons() -> None:
    label_map = np.zeros((20, 20, 4), np.uint8)
    label_map[stack(0, 8, 6, 4)], label_map[12, 12, 1] = 3, 2
    assert whole_volumes(label_map, (1, 1, 10), LABELS) == {
        "RV": Measurement(None, "RV is absent"),
        "MYO": Measurement(None, "MYO is in slice 2 alone"),
        "LV": Measurement(1.16),
    }
