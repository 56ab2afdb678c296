"""The patch holds the structures, and says where it lies."""

import numpy as np
import pytest

from tests.fakes.fused import small_plan
from uumamba.core.errors import InputError
from uumamba.inference.patch_around import choose_slice, patch_around


def labels_at(shape: tuple[int, int, int], *places: tuple[int | slice, ...]) -> np.ndarray:
    labels = np.zeros(shape, np.int16)
    for place in places:
        labels[place] = 1
    return labels


def numbered(shape: tuple[int, int, int]) -> np.ndarray:
    """Every voxel has a value of its own, none 0."""
    return 1 + np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)


def test_the_fullest_slice_unless_one_is_given() -> None:
    labels = labels_at((5, 6, 6), (1, 2, 2), (3, slice(2, 4), 2))
    assert choose_slice(labels, None) == 3
    assert choose_slice(labels, 2) == 1
    for number in (1, 3, 5, 6):
        with pytest.raises(InputError, match=rf"--slice {number}: no structure there; .* has 5 slices, .* 2 and 4"):
            choose_slice(labels, number)
    with pytest.raises(InputError, match=r"the label map holds no structure, .* give --reference, or a model that"):
        choose_slice(np.full((5, 6, 6), -1), None)


@pytest.mark.parametrize(("place", "start"), [((20, 25), (12, 17)), ((1, 2), (0, 0)), ((39, 30), (24, 22))])
def test_structures_are_in_the_middle_as_far_as_the_image_reaches(
    place: tuple[int, int], start: tuple[int, int]
) -> None:
    shape = (3, 40, 40)
    data, labels = numbered(shape), labels_at(shape, (1, *place))
    patch = patch_around(data, labels, 1, small_plan(2), outside=-1)
    here = (1, slice(start[0], start[0] + 16), slice(start[1], start[1] + 16))
    np.testing.assert_array_equal(patch.data[0].numpy(), data[0][here])
    np.testing.assert_array_equal(patch.labels, labels[here])
    assert (patch.slice_, patch.depth) == (1, 0)


def test_a_volume_around_the_slice() -> None:
    shape = (9, 20, 20)
    data, labels = numbered(shape), labels_at(shape, (8, 10, 10), (2, 10, 10))
    for slice_, first, depth in ((8, 5, 3), (2, 0, 2)):
        patch = patch_around(data, labels, slice_, small_plan(3), outside=-1)
        assert patch.labels.shape == (4, 16, 16)
        assert (patch.slice_, patch.depth) == (slice_, depth)
        assert patch.labels[depth].any()
        np.testing.assert_array_equal(patch.data[0].numpy(), data[0, first : first + 4, 2:18, 2:18])


def test_a_small_image_is_padded_and_what_lies_outside_is_marked() -> None:
    shape = (3, 11, 14)
    data, labels = numbered(shape), labels_at(shape, (1, 4, 4))
    patch = patch_around(data, labels, 1, small_plan(3), outside=-1)
    inside = (slice(0, 3), slice(2, 13), slice(1, 15))
    np.testing.assert_array_equal(patch.data[0].numpy()[inside], data[0])
    np.testing.assert_array_equal(patch.labels[inside], labels)
    assert (patch.labels == -1).sum() == 4 * 16 * 16 - 3 * 11 * 14
    assert (patch.data == 0).sum() == 4 * 16 * 16 - 3 * 11 * 14
    assert patch.depth == 1
