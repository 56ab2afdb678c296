"""A coarse grid over the same box: images averaged, and no structure lost however thin."""

import tracemalloc
from itertools import product
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.data.coarse import FOREGROUND, any_structure, average, averaging_bytes, coarse_shape

Shape = tuple[int, int, int]
SIZES = st.tuples(*[st.integers(1, 9)] * 3)


def shapes(data: st.DataObject) -> tuple[Shape, Shape]:
    """A grid, and one that is nowhere finer."""
    first, second, third = data.draw(SIZES)
    coarse = data.draw(st.tuples(st.integers(1, first), st.integers(1, second), st.integers(1, third)))
    return (first, second, third), coarse


def touched(number: int, old: int, new: int) -> range:
    """The old voxels that a new one touches."""
    return range(floor(number * old / new + 1e-9), ceil((number + 1) * old / new - 1e-9))


@given(data=st.data())
def test_a_mean_stays_and_a_constant_too(data: st.DataObject) -> None:
    shape, coarse = shapes(data)
    values = np.random.default_rng(sum(shape)).normal(size=(2, *shape)).astype(np.float32)
    averaged = average(values, coarse)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged.mean(axis=(1, 2, 3)), values.mean(axis=(1, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(average(np.full((1, *shape), 0.3, np.float32), coarse), 0.3, atol=1e-6)


def test_whole_factors_take_the_mean_of_each_block_however_the_data_lie_in_memory() -> None:
    values = np.random.default_rng(0).normal(size=(1, 8, 6, 9)).astype(np.float32)
    blocks = values.reshape(1, 4, 2, 3, 2, 3, 3).mean(axis=(2, 4, 6))
    np.testing.assert_allclose(average(values, (4, 3, 3)), blocks, atol=1e-6)
    np.testing.assert_array_equal(average(np.asfortranarray(values), (4, 3, 3)), average(values, (4, 3, 3)))
    np.testing.assert_array_equal(average(values, (8, 6, 9)), values)


@given(data=st.data())
def test_a_coarse_voxel_is_labelled_just_if_it_touches_a_structure(data: st.DataObject) -> None:
    shape, coarse = shapes(data)
    labels = (np.random.default_rng(sum(shape)).random((1, *shape)) < 0.1).astype(np.int16) * 7
    merged = any_structure(labels, coarse)
    assert merged.dtype == np.int8
    for place in product(*map(range, coarse)):
        box = np.ix_(*(touched(*each) for each in zip(place, shape, coarse, strict=True)))
        assert (merged[0][place] == FOREGROUND) == labels[0][box].any()


@pytest.mark.parametrize("start", range(7))
def test_a_vessel_of_one_voxel_is_whole_at_a_seventh_of_the_resolution(start: int) -> None:
    """As a coronary artery of 3 voxels of 0.35 mm is at 4 mm; the nearest or the linear label has none of it."""
    labels = np.zeros((1, 70, 49, 49), np.int16)
    labels[0, :, 20 + start, 17] = 1
    merged = any_structure(labels, (10, 7, 7))
    assert merged[0, :, (20 + start) // 7, 2].all()
    assert merged.sum() == 10


def test_structures_win_over_what_is_ignored_and_that_over_background_and_outside() -> None:
    ignore = 5
    cells = [(-1, -1), (-1, 0), (0, ignore), (ignore, 3), (-1, 2)]
    labels = np.array(cells, np.int16).reshape(1, 5, 2, 1)
    assert any_structure(labels, (5, 1, 1), ignore=ignore).ravel().tolist() == [-1, 0, 2, 1, 1]


def test_the_grid_is_the_nearest_and_never_finer() -> None:
    assert coarse_shape((512, 512, 275), (0.35, 0.35, 0.5), (2.0, 2.0, 2.0)) == (90, 90, 69)
    assert coarse_shape((10, 256, 3), (10.0, 1.5, 1.0), (3.0, 3.0, 9.0)) == (10, 128, 1)


def test_it_takes_no_more_than_is_said() -> None:
    values = np.zeros((2, 60, 200, 150), np.float32).transpose(0, 3, 2, 1)
    tracemalloc.start()
    try:
        average(values, (30, 40, 12))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * averaging_bytes(2, (150, 200, 60), (30, 40, 12)) + 500_000
