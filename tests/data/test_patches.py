"""Patches lie where they should, and turning them keeps image and labels together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import ConfigError
from uumamba.data.foreground import ANNOTATED
from uumamba.data.patches import (
    Box,
    RandomAffine,
    Reader,
    cut_patch,
    downsample_labels,
    draw_annotated,
    draw_lower,
    draw_voxel,
    keep_in_view,
    target_strides,
)


def reader(image: np.ndarray, labels: np.ndarray) -> Reader:
    """What the store does, on arrays (z, y, x)."""

    def read(low: Box, high: Box) -> tuple[Tensor, Tensor]:
        pad = [max(0, -a, b - size) for a, b, size in zip(low, high, image.shape, strict=True)]
        box = tuple(slice(a + p, b + p) for a, b, p in zip(low, high, pad, strict=True))
        around = [(p, p) for p in pad]
        padded = np.pad(image, around)[box], np.pad(labels, around, constant_values=-1)[box]
        return torch.from_numpy(padded[0].copy())[None], torch.from_numpy(padded[1].astype(np.int16))[None]

    return read


def rotation(degrees: float, scale: float = 1.0) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


sizes = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))


@given(sizes, sizes, st.integers(0, 1000))
def test_random_place_is_inside_or_centred(shape: Box, size: Box, seed: int) -> None:
    lower = draw_lower(shape, size, np.random.default_rng(seed))
    for low, length, whole in zip(lower, size, shape, strict=True):
        if length <= whole:
            assert 0 <= low <= whole - length
        else:
            assert abs(-low - (low + length - whole)) <= 1


@given(sizes, sizes, st.integers(0, 1000))
def test_foreground_place_holds_the_voxel(shape: Box, size: Box, seed: int) -> None:
    random = np.random.default_rng(seed)
    z, y, x = (int(random.integers(length)) for length in shape)
    lower = draw_lower(shape, size, random, (z, y, x))
    for low, length, place in zip(lower, size, (z, y, x), strict=True):
        assert low <= place < low + length


def test_places_are_uniform() -> None:
    random = np.random.default_rng(0)
    lows = [draw_lower((9, 4, 4), (5, 4, 4), random)[0] for _ in range(2000)]
    counts = np.bincount(lows, minlength=5)
    assert counts.min() > 330
    assert len(counts) == 5


def test_voxels_are_drawn_by_class_first() -> None:
    places = {1: np.full((1000, 3), 1), 2: np.full((2, 3), 2), 3: np.empty((0, 3), int)}
    random = np.random.default_rng(0)
    drawn = [draw_voxel(places, random) for _ in range(600)]
    assert set(drawn) == {(1, 1, 1), (2, 2, 2)}
    assert 240 < sum(voxel == (2, 2, 2) for voxel in drawn) < 360
    assert draw_voxel({}, random) is None


def test_where_voxels_may_be_ignored_only_others_are_drawn() -> None:
    """Structures first; where a case has none, and for patches that need none, any voxel that is annotated."""
    places = {ANNOTATED: np.full((5, 3), 9), 1: np.full((7, 3), 1)}
    random = np.random.default_rng(0)
    assert {draw_voxel(places, random) for _ in range(50)} == {(1, 1, 1)}
    assert draw_voxel({ANNOTATED: places[ANNOTATED]}, random) == (9, 9, 9)
    assert draw_annotated(places, random) == (9, 9, 9)
    assert draw_annotated({1: places[1]}, random) is None


def test_identity_matrix_changes_nothing() -> None:
    random = np.random.default_rng(0)
    image, labels = random.normal(size=(4, 20, 22)).astype(np.float32), random.integers(0, 4, size=(4, 20, 22))
    for lower, size in (((1, 3, 4), (2, 10, 12)), ((0, -3, -2), (1, 26, 27))):
        plain = cut_patch(reader(image, labels), image.shape, lower, size)
        for matrix in (np.eye(2), np.eye(3)):
            turned = cut_patch(reader(image, labels), image.shape, lower, size, matrix)
            torch.testing.assert_close(turned[0], plain[0], atol=1e-5, rtol=0)
            assert torch.equal(turned[1], plain[1])


def test_quarter_turn_is_exact() -> None:
    random = np.random.default_rng(0)
    image, labels = random.normal(size=(3, 16, 16)).astype(np.float32), random.integers(0, 4, size=(3, 16, 16))
    turned, turned_labels = cut_patch(reader(image, labels), image.shape, (0, 0, 0), (3, 16, 16), rotation(90))
    np.testing.assert_allclose(turned[0].numpy(), np.rot90(image, -1, axes=(1, 2)), atol=1e-4)
    np.testing.assert_array_equal(turned_labels[0].numpy(), np.rot90(labels, -1, axes=(1, 2)))


@pytest.mark.parametrize("dims", [2, 3])
def test_agrees_with_scipy(dims: int) -> None:
    random = np.random.default_rng(1)
    image = ndimage.gaussian_filter(random.normal(size=(12, 30, 28)), 1).astype(np.float32)
    affine = RandomAffine(dims, dims == 2, 1.0, 40.0, 1.0, (0.7, 1.4))
    lower, size = (2, 6, 5), (7, 17, 16)
    for seed in range(5):
        matrix = affine.draw(np.random.default_rng(seed))
        assert matrix is not None
        turned, _ = cut_patch(reader(image, image > 0), image.shape, lower, size, matrix)
        full = np.eye(3)
        full[3 - dims :, 3 - dims :] = matrix
        half = (np.array(size) - 1) / 2
        expected = ndimage.affine_transform(
            np.pad(image, 20), full, np.array(lower) + 20 + half - full @ half, output_shape=size, order=1
        )
        np.testing.assert_allclose(turned[0].numpy(), expected, atol=1e-4)


@given(st.integers(0, 10_000), st.sampled_from([2, 3]))
@settings(max_examples=40, deadline=None)
def test_image_and_labels_stay_together(seed: int, dims: int) -> None:
    """An image that equals its label map stays within half a label of it, since the largest share wins between two."""
    random = np.random.default_rng(seed)
    labels = (ndimage.gaussian_filter(random.normal(size=(9, 24, 20)), 2) > 0).astype(np.int16)
    matrix = RandomAffine(dims, False, 0.8, 180.0, 0.8, (0.7, 1.4)).draw(random)
    lower = draw_lower((9, 24, 20), (6, 18, 24), random)
    image, turned = cut_patch(reader(labels.astype(np.float32), labels), (9, 24, 20), lower, (6, 18, 24), matrix)
    assert image.shape == turned.shape == (1, 6, 18, 24)
    inside = turned >= 0
    assert set(turned.unique().tolist()) <= {-1, 0, 1}
    difference = (image - turned)[inside].abs()
    assert difference.numel() > 0
    assert float(difference.max()) <= 0.5 + 1e-3 or bool((image[inside & (turned == 1)] > 0).all())


def test_labels_never_get_new_values() -> None:
    random = np.random.default_rng(0)
    labels = random.choice([0, 3, 7, 99], size=(1, 30, 30))
    for degrees in range(0, 180, 7):
        _, turned = cut_patch(
            reader(labels.astype(np.float32), labels), labels.shape, (0, -2, -2), (1, 34, 34), rotation(degrees, 1.2)
        )
        assert set(turned.unique().tolist()) <= {-1, 0, 3, 7, 99}


def test_corners_are_real_data() -> None:
    """Wherever a turned patch lies within the array, nothing of it is padding."""
    image = np.ones((1, 100, 100), np.float32)
    for degrees in range(0, 360, 15):
        patch, labels = cut_patch(reader(image, image), image.shape, (0, 30, 30), (1, 40, 40), rotation(degrees, 1.2))
        torch.testing.assert_close(patch, torch.ones_like(patch))
        assert bool((labels == 1).all())


def test_beyond_the_array_is_zero_and_outside() -> None:
    image = np.ones((1, 10, 10), np.float32)
    patch, labels = cut_patch(reader(image, image), image.shape, (0, -15, -15), (1, 40, 40), rotation(30))
    assert float(patch[0, 0, 0, 0]) == 0
    assert int(labels[0, 0, 0, 0]) == -1
    assert 95 <= int((labels == 1).sum()) <= 105
    torch.testing.assert_close(patch[labels == -1].clamp(min=0.5), torch.full((1600 - int((labels == 1).sum()),), 0.5))


def test_affine_draws_as_often_and_as_far_as_asked() -> None:
    random = np.random.default_rng(0)
    affine = RandomAffine(2, False, 0.2, 30.0, 0.2, (0.7, 1.4))
    drawn = [affine.draw(random) for _ in range(4000)]
    matrices = [matrix for matrix in drawn if matrix is not None]
    assert 0.33 < len(matrices) / len(drawn) < 0.39
    scales = np.array([np.sqrt(np.linalg.det(matrix)) for matrix in matrices])
    angles = np.array([np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])) for matrix in matrices])
    assert 0.7 <= scales.min() < 0.75
    assert 1.35 < scales.max() <= 1.4
    assert 28 < np.abs(angles).max() <= 30
    assert 0.17 < np.mean(np.abs(scales - 1) > 1e-9) * len(matrices) / len(drawn) < 0.23


def test_rotations_in_space_are_rotations() -> None:
    matrix = RandomAffine(3, False, 1.0, 30.0, 0.0, (1.0, 1.0)).draw(np.random.default_rng(0))
    assert matrix is not None
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert RandomAffine(3, True, 1.0, 30.0, 0.0, (1.0, 1.0)).draw(np.random.default_rng(0)).shape == (2, 2)


def test_target_strides_are_the_decoders_levels() -> None:
    strides = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (1, 2, 2))
    assert target_strides(strides) == ((1, 1, 1), (1, 2, 2), (2, 4, 4))
    assert target_strides(((1, 1),)) == ((1, 1),)


def test_targets_are_nearest_neighbours() -> None:
    labels = torch.randint(0, 4, (1, 4, 24, 32), generator=torch.Generator().manual_seed(0), dtype=torch.int16)
    levels = downsample_labels(labels, ((1, 1, 1), (1, 2, 2), (2, 8, 4)))
    assert [tuple(level.shape) for level in levels] == [(1, 4, 24, 32), (1, 4, 12, 16), (1, 2, 3, 8)]
    for level in levels:
        expected = functional.interpolate(labels[None].float(), level.shape[1:], mode="nearest-exact")[0]
        assert torch.equal(level, expected.to(level.dtype))


def test_stride_that_does_not_divide_the_patch() -> None:
    with pytest.raises(ConfigError, match=r"patch size \(6, 9\) must be divisible by the target strides .*; change it"):
        downsample_labels(torch.zeros((1, 6, 9), dtype=torch.int16), ((1, 1), (2, 2)))


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 39)] * 3), st.integers(0, 1000), st.booleans())
def test_a_turned_patch_shows_its_voxel_wherever_that_lies(voxel: Box, seed: int, in_plane: bool) -> None:
    random = np.random.default_rng(seed)
    labels = np.zeros((40, 40, 40), np.int16)
    labels[tuple(slice(max(0, place - 1), place + 2) for place in voxel)] = 1
    matrix = RandomAffine(3, in_plane, 1.0, 180.0, 1.0, (0.7, 1.4)).draw(random)
    assert matrix is not None
    size = (16, 24, 20)
    lower = keep_in_view(draw_lower(labels.shape, size, random, voxel), size, voxel, matrix)
    _, shown = cut_patch(reader(labels.astype(np.float32), labels), labels.shape, lower, size, matrix)
    assert (shown == 1).any()


def test_a_patch_that_shows_its_voxel_stays() -> None:
    quarter, eighth, size = rotation(90), rotation(45), (3, 16, 16)
    assert keep_in_view((0, 0, 0), size, (1, 1, 1), quarter) == (0, 0, 0)
    assert keep_in_view((0, 0, 0), size, (1, 8, 5), eighth) == (0, 0, 0)
    moved = keep_in_view((0, 0, 0), size, (1, 0, 0), eighth)
    assert moved[0] == 0
    assert -4 <= moved[1] == moved[2] <= -2
