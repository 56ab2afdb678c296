"""Locations of structures."""

import numpy as np
import pytest
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

from uumamba.core.seeding import derive_generator
from uumamba.data.foreground import ANNOTATED, count_numbers, foreground_locations


def random_labels() -> np.ndarray:
    """(1, 6, 30, 40) labels -1 to 4, without 3."""
    labels = np.random.default_rng(0).integers(-1, 5, (1, 6, 30, 40))
    labels[labels == 3] = 0
    return labels


def test_every_voxel_is_found_below_the_limit() -> None:
    labels = random_labels()
    found = foreground_locations(labels)
    assert sorted(found) == [1, 2, 4]
    for number, places in found.items():
        np.testing.assert_array_equal(places, np.argwhere(labels[0] == number))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8])
def test_above_the_limit_a_fixed_draw_of_distinct_voxels(dtype: type[np.integer]) -> None:
    labels = np.maximum(random_labels(), 0).astype(dtype)
    found = foreground_locations(labels, limit=100)
    again = foreground_locations(labels, limit=100)
    for number, places in found.items():
        assert len(np.unique(places, axis=0)) == 100
        assert (labels[0][tuple(places.T)] == number).all()
        np.testing.assert_array_equal(places, again[number])


def test_the_ignore_label_is_no_structure() -> None:
    labels = random_labels()
    found = foreground_locations(labels, ignore=4, limit=10**6)
    assert sorted(found) == [ANNOTATED, 1, 2]
    np.testing.assert_array_equal(found[ANNOTATED], np.argwhere(labels[0] != 4))
    assert sorted(foreground_locations(np.full((1, 2, 2, 2), 4), ignore=4)) == []


@pytest.mark.parametrize("ignore", [None, 4])
def test_regions_are_found_as_nnunet_finds_them(ignore: int | None) -> None:
    """Each region is one structure, whatever its numbers; every voxel is kept below the limit, by both."""
    labels, regions = random_labels(), ((1, 2, 3), (2, 3), (3,))
    found = foreground_locations(labels, regions=regions, ignore=ignore, limit=10**6)
    annotated = [] if ignore is None else [(-1, 0, 1, 2, 3)]
    theirs = DefaultPreprocessor._sample_foreground_locations(labels, [*regions[:2], 3, *annotated])
    keys = {1: (1, 2, 3), 2: (2, 3), 3: 3, ANNOTATED: (-1, 0, 1, 2, 3)}
    assert sorted(found) == [1, 2] if ignore is None else [ANNOTATED, 1, 2]  # 3 is nowhere
    assert len(theirs[3]) == 0
    for number, places in found.items():
        expected = np.asarray(theirs[keys[number]])[:, 1:]
        np.testing.assert_array_equal(places, expected[np.lexsort(expected.T[::-1])])


def test_nothing_labelled() -> None:
    assert foreground_locations(np.zeros((1, 2, 3, 4), dtype=np.int16)) == {}


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_slice_by_slice_the_draw_is_that_of_the_whole(axes: tuple[int, int, int]) -> None:
    labels = random_labels()[0].transpose(axes)[None]
    found = foreground_locations(labels, limit=700)
    for number in (1, 2, 4):
        whole = np.argwhere(labels[0] == number)
        rows = derive_generator(len(whole), "foreground", number).choice(len(whole), 700, replace=False)
        np.testing.assert_array_equal(found[number], whole[np.sort(rows)])
        assert found[number].dtype == np.int32


def test_numbers_are_counted_over_all_slices() -> None:
    labels = random_labels()[0]
    assert count_numbers(labels) == dict(
        zip(*(each.tolist() for each in np.unique(labels, return_counts=True)), strict=True)
    )
