"""Skeletons: the mask's own topology, exactly; lines through the middle of tubes, of even widths too."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label
from skimage.measure import euler_number
from skimage.morphology import skeletonize

from uumamba.core.errors import InputError
from uumamba.core.thinning import skeleton

Mask = NDArray[np.bool_]


def pieces(mask: Mask) -> int:
    return int(label(mask, np.ones((3,) * mask.ndim))[1])


def topology(mask: Mask) -> tuple[int, int, int]:
    """Components, Euler number, and components of the outside: all that a skeleton must keep."""
    outside = ~np.pad(mask, 1)
    return pieces(mask), euler_number(mask, connectivity=mask.ndim), int(label(outside)[1])


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10_000),
    shape=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    filled=st.floats(0, 1),
)
def test_topology_is_kept_exactly(seed: int, shape: list[int], filled: float) -> None:
    mask = np.random.default_rng(seed).random(shape) < filled
    thin = skeleton(mask)
    assert not (thin & ~mask).any()
    assert topology(thin) == topology(mask)
    np.testing.assert_array_equal(skeleton(thin), thin)


def slow_skeleton_is_thin(thin: Mask) -> int:
    """How many voxels, ends apart, could go alone without a change of topology, tried one by one."""
    left = 0
    for place in np.argwhere(thin):
        around = np.pad(thin, 1)[tuple(slice(each, each + 3) for each in place)]
        without = thin.copy()
        without[tuple(place)] = False
        left += around.sum() > 2 and topology(without) == topology(thin)
    return left


@pytest.mark.parametrize("seed", range(3))
def test_hardly_a_voxel_is_left_over(seed: int) -> None:
    thin = skeleton(np.random.default_rng(seed).random((9, 8, 7)) < 0.5)
    assert thin.sum() > 30
    assert slow_skeleton_is_thin(thin) <= 2


@pytest.mark.parametrize(("width", "height"), [*itertools.combinations_with_replacement(range(1, 8), 2)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_becomes_its_middle_line(width: int, height: int, axis: int) -> None:
    tube = np.zeros((9, 9, 40), dtype=bool)
    tube[1 : 1 + width, 1 : 1 + height] = True
    thin = np.moveaxis(skeleton(np.moveaxis(tube, 2, axis)), axis, 2)
    assert thin[..., 6:-6].any(axis=(0, 1)).all()
    assert thin.sum() <= 40
    inner = np.argwhere(thin[..., 6:-6])[:, :2]
    assert np.abs(inner - [1 + (width - 1) / 2, 1 + (height - 1) / 2]).max() <= 1


def test_scikit_image_loses_tubes_of_even_width() -> None:
    """Why this is not scikit-image's; when this fails, it may be."""
    tube = np.zeros((6, 6, 40), dtype=bool)
    tube[2:4, 2:4] = True
    assert not skeletonize(tube).any()
    assert skeleton(tube).sum() > 35


def test_where_it_lies_does_not_matter() -> None:
    mask = np.random.default_rng(1).random((7, 8, 6)) < 0.4
    moved = np.pad(mask, ((3, 1), (0, 2), (5, 4)))
    np.testing.assert_array_equal(skeleton(moved)[3:10, :8, 5:11], skeleton(mask))


def test_a_ball_a_ring_and_a_shell() -> None:
    x, y, z = np.ogrid[-12:13, -12:13, -12:13]
    ball = x**2 + y**2 + z**2 <= 100
    ring = (np.hypot(x, y) - 8) ** 2 + z**2 <= 9
    centre = np.argwhere(skeleton(ball)) - 12
    assert len(centre) <= 3
    assert np.abs(centre).max() <= 1
    thin = np.argwhere(skeleton(ring)) - 12
    assert np.abs(np.hypot(thin[:, 0], thin[:, 1]) - 8).max() < 1.5
    assert np.abs(thin[:, 2]).max() <= 1
    shell = ball & (x**2 + y**2 + z**2 >= 49)
    assert topology(skeleton(shell)) == topology(shell) == (1, 2, 2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5), (3, 3), (0, 4, 4), (4, 4, 4)])
def test_small_and_empty(shape: tuple[int, ...]) -> None:
    assert not skeleton(np.zeros(shape, dtype=bool)).any()
    full = skeleton(np.ones(shape, dtype=bool))
    assert full.shape == shape
    assert full.any() == bool(np.prod(shape))


@pytest.mark.parametrize("mask", [np.ones((3, 3, 3)), np.ones(3, dtype=bool)])
def test_what_is_no_mask(mask: Mask) -> None:
    with pytest.raises(InputError, match="needs a boolean mask, 2D or 3D, got"):
        skeleton(mask)
