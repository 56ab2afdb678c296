"""Resampling: nnU-Net's voxels bit for bit, for less memory."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

from uumamba.data.resampling import coarse_axis, nearest_slices, resample_image, resample_labels, resampling_bytes

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
SIZES = st.tuples(*[st.integers(1, 9)] * 3)
SPACINGS = {
    "cubes": (1.0, 1.2, 1.1),
    "thick along the first": (9.0, 1.3, 1.5),
    "thick along the second": (1.3, 8.0, 1.2),
    "thick along the third": (1.1, 1.2, 7.0),
    "thick along two": (1.0, 6.0, 6.0),
}


@settings(deadline=None)  # loops are compiled at first use
@given(
    channels=st.integers(1, 2), old=SIZES, new=SIZES, spacings=st.tuples(*[st.sampled_from([*SPACINGS.values()])] * 2)
)
def test_the_voxels_are_nnunets(channels: int, old: Shape, new: Shape, spacings: tuple[Spacing, Spacing]) -> None:
    random = np.random.default_rng(sum(old))
    image = random.normal(300, 200, (channels, *old)).astype(np.float32)
    labels = random.integers(-1, 4, (channels, *old)).astype(np.int16)
    coarse = coarse_axis(*spacings)
    given_spacings = {"order_z": 0, "force_separate_z": None}
    for resampled, expected in (
        (
            resample_image(image, new, coarse),
            resample_data_or_seg_to_shape(image, new, *spacings, order=3, **given_spacings),
        ),
        (
            resample_labels(labels, new, coarse),
            resample_data_or_seg_to_shape(labels, new, *spacings, is_seg=True, order=1, **given_spacings),
        ),
    ):
        assert resampled.dtype == expected.dtype
        np.testing.assert_array_equal(resampled, expected)


def test_the_coarse_axis_is_that_of_the_coarser_grid() -> None:
    cubes = SPACINGS["cubes"]
    for axis, name in enumerate(("thick along the first", "thick along the second", "thick along the third")):
        assert coarse_axis(SPACINGS[name], cubes) == axis
        assert coarse_axis(cubes, SPACINGS[name]) == axis
    assert coarse_axis(SPACINGS["thick along two"], cubes) is None
    assert coarse_axis(cubes, cubes) is None


def test_half_way_between_two_slices_the_upper_one_is_nearest() -> None:
    np.testing.assert_array_equal(nearest_slices(4, 2), [1, 3])
    np.testing.assert_array_equal(nearest_slices(2, 4), [0, 0, 1, 1])
    np.testing.assert_array_equal(nearest_slices(3, 3), [0, 1, 2])
    np.testing.assert_array_equal(nearest_slices(5, 1), [2])
    np.testing.assert_array_equal(nearest_slices(1, 3), [0, 0, 0])


def test_what_has_the_shape_is_handed_on() -> None:
    image = np.ones((2, 3, 4, 5), dtype=np.float32)
    assert resample_image(image, (3, 4, 5), None) is image
    assert resample_labels(image.astype(np.int16), (3, 4, 5), 0).shape == image.shape
    assert resampling_bytes(2, (3, 4, 5), (3, 4, 5), None) == 0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("coarse", [None, 0, 2])
def test_the_memory_is_what_was_said(channels: int, coarse: int | None) -> None:
    sizes = (24, 96, 80), (40, 64, 90)
    for old, new in (sizes, sizes[::-1]):
        image = np.random.default_rng(0).normal(size=(channels, *old)).astype(np.float32)
        tracemalloc.start()
        resample_image(image, new, coarse)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak == pytest.approx(resampling_bytes(channels, old, new, coarse), rel=0.1)


def test_channels_are_resampled_each_on_its_own() -> None:
    image = np.random.default_rng(0).normal(size=(3, 6, 7, 8)).astype(np.float32)
    for coarse in (None, 1):
        together = resample_image(image, (5, 9, 8), coarse)
        for first, second in combinations(range(3), 2):
            pair = resample_image(image[[first, second]], (5, 9, 8), coarse)
            np.testing.assert_array_equal(pair, together[[first, second]])
