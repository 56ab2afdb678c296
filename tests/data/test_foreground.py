"""Locations of structures."""

import numpy as np
import pytest

from uumamba.data.foreground import foreground_locations


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
    assert sorted(foreground_locations(random_labels(), ignore=4)) == [1, 2]


def test_nothing_labelled() -> None:
    assert foreground_locations(np.zeros((1, 2, 3, 4), dtype=np.int16)) == {}
