"""Laws that every metric keeps, walked over the METRICS table, and what is declared for empty masks."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.metrics import METRICS, metrics_at, metrics_for, surface_dice

Mask = NDArray[np.bool_]
SPACING_MM = (1.4, 1.5, 10.0)
EVERY_STRUCTURE = ("dice", "hd_mm", "hd95_mm", "assd_mm", "nsd")
LENGTHS = ("hd_mm", "hd95_mm", "assd_mm")
BY_THE_REFERENCES_RADIUS = "centreline_overlap"
BY_SKELETONS = ("cldice", "centreline_overlap")
"""Which of equally good voxels a skeleton keeps depends on the order of the axes; `test_centreline` says how much."""


def random_mask(seed: int, shape: tuple[int, ...] = (9, 8, 5)) -> Mask:
    """A ragged mask of several pieces, some at the image's edge."""
    mask = np.random.default_rng(seed).random(shape) < 0.3
    mask[(4,) * len(shape)] = True
    return mask


every_metric = pytest.mark.parametrize("name", METRICS)
pairs = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))


def test_the_table_is_not_empty() -> None:
    assert list(METRICS) == [*EVERY_STRUCTURE, "cldice", "centreline_overlap", "betti0_error"]
    assert metrics_for(tubular=True) == tuple(METRICS)
    assert metrics_for(tubular=False) == tuple(metrics_at(1.0, tubular=False)) == EVERY_STRUCTURE


@every_metric
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), shape=st.sampled_from([(9, 8, 5), (6, 7)]))
def test_equal_masks_are_best(name: str, seed: int, shape: tuple[int, ...]) -> None:
    shape = tuple(max(size, 5) for size in shape)
    mask = random_mask(seed, shape)
    assert METRICS[name].function(mask, mask, SPACING_MM[: len(shape)]) == METRICS[name].best


@pytest.mark.parametrize("name", [name for name in METRICS if name != BY_THE_REFERENCES_RADIUS])
@settings(deadline=None, max_examples=20)
@given(seeds=pairs)
def test_symmetry(name: str, seeds: tuple[int, int]) -> None:
    first, second = map(random_mask, seeds)
    function = METRICS[name].function
    assert function(first, second, SPACING_MM) == pytest.approx(function(second, first, SPACING_MM), abs=1e-12)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in BY_SKELETONS])
@settings(deadline=None, max_examples=20)
@given(seeds=pairs, axes=st.permutations(range(3)), flips=st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_order_and_direction_of_the_axes_do_not_matter(
    name: str, seeds: tuple[int, int], axes: list[int], flips: tuple[int, int, int]
) -> None:
    def turned(mask: Mask) -> Mask:
        flipped: Mask = mask[tuple(slice(None, None, flip) for flip in flips)]
        return flipped.transpose(axes)

    first, second = map(random_mask, seeds)
    spacing = [SPACING_MM[axis] for axis in axes]
    function = METRICS[name].function
    # the areas of surface elements are float32 numbers in MONAI's table
    assert function(turned(first), turned(second), spacing) == pytest.approx(
        function(first, second, SPACING_MM), abs=1e-6
    )


@every_metric
@settings(deadline=None, max_examples=20)
@given(seeds=pairs, factor=st.floats(0.1, 10))
def test_distances_scale_with_the_spacing(name: str, seeds: tuple[int, int], factor: float) -> None:
    first, second = map(random_mask, seeds)
    metrics = metrics_at(tolerance_mm=2.0)
    scaled = metrics_at(tolerance_mm=2.0 * factor)
    value = metrics[name].function(first, second, SPACING_MM)
    assert value is not None
    expected = value * factor if name in LENGTHS else value
    spacing = [step * factor for step in SPACING_MM]
    assert scaled[name].function(first, second, spacing) == pytest.approx(expected, rel=1e-6)


@every_metric
def test_the_image_round_the_masks_does_not_matter(name: str) -> None:
    first, second = random_mask(1), random_mask(2)
    function = METRICS[name].function
    wide = [np.pad(mask, ((3, 1), (0, 7), (2, 2))) for mask in (first, second)]
    assert function(*wide, SPACING_MM) == pytest.approx(function(first, second, SPACING_MM), abs=1e-12)


@every_metric
def test_both_empty_is_no_number(name: str) -> None:
    empty = np.zeros((4, 5, 6), dtype=bool)
    assert METRICS[name].function(empty, empty, SPACING_MM) is None


@every_metric
def test_one_empty_is_a_total_miss_and_nothing_is_worse(name: str) -> None:
    """A count alone has no worst: it may be any number too many."""
    empty, mask = np.zeros((4, 5, 6), dtype=bool), np.zeros((4, 5, 6), dtype=bool)
    mask[0, 0, 0] = True
    diagonal = float(np.linalg.norm([3 * 1.4, 4 * 1.5, 5 * 10.0]))
    metric = METRICS[name]
    miss = metric.function(empty, mask, SPACING_MM)
    assert miss == metric.function(mask, empty, SPACING_MM) == metric.of_total_miss(diagonal, 1)
    assert miss == pytest.approx({"distance": diagonal, "share": 0.0, "count": 1.0}[metric.kind])
    if metric.kind == "count":
        return
    farthest = np.zeros_like(mask)
    farthest[-1, -1, -1] = True
    worst = metric.function(mask, farthest, SPACING_MM)
    assert worst == pytest.approx(miss)


@every_metric
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mask: (mask.astype(int), mask, SPACING_MM), "masks must be boolean, got int64 and bool"),
        (lambda mask: (mask, mask[1:], SPACING_MM), r"one shape, got \(9, 8, 5\) and \(8, 8, 5\)"),
        (lambda mask: (mask[0, 0], mask[0, 0], (1.0,)), "2D or 3D"),
        (lambda mask: (mask, mask, (1.0, 1.0)), r"3 positive numbers in mm, one per axis, got \(1.0, 1.0\)"),
        (lambda mask: (mask, mask, (1.0, 0.0, 1.0)), "positive numbers"),
    ],
)
def test_wrong_arguments(name: str, change: Callable[[Mask], tuple[object, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        METRICS[name].function(*change(random_mask(1)))


@settings(deadline=None, max_examples=10)
@given(seeds=pairs)
def test_surface_dice_grows_with_the_tolerance(seeds: tuple[int, int]) -> None:
    first, second = map(random_mask, seeds)
    values = [
        surface_dice(first, second, SPACING_MM, tolerance_mm=step) or 0.0 for step in (0.0, 1.4, 2.0, 10.0, 100.0)
    ]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1.0)
