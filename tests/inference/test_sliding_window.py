"""Laws of the sliding window: what the network says of a voxel must not depend on how the image is cut."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.inference.sliding_window_prediction import compute_gaussian, compute_steps_for_sliding_window
from torch import Tensor, nn

from uumamba.inference.sliding_window import (
    SLAB,
    predict_logits,
    predict_slabs,
    stitching_bytes,
    window_starts,
    window_weights,
)


class Pointwise(nn.Module):
    """Two classes from each voxel alone, the same in 2D and 3D."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.sin(), 2 * x + 1], dim=1)


class Identity(nn.Module):
    """Gives back the very tensor that came in."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Neighbours(nn.Module):
    """Looks one voxel around, with a kernel that is symmetric under every flip."""

    def __init__(self, spatial_dims: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.convolution = (nn.Conv2d if spatial_dims == 2 else nn.Conv3d)(1, 3, 3, padding=1)
        kernel = torch.randn(self.convolution.weight.shape, generator=generator)
        for axis in range(2, kernel.ndim):
            kernel = kernel + kernel.flip(axis)
        self.convolution.weight.data = kernel

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.convolution(x)
        return logits


def image(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 11)] * 3),
    patch=st.one_of(st.tuples(*[st.integers(1, 8)] * 3), st.tuples(*[st.integers(1, 8)] * 2)),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
    batch=st.integers(1, 5),
)
def test_pointwise_network_is_exact_whatever_the_window(
    shape: tuple[int, ...], patch: tuple[int, ...], overlap: float, batch: int
) -> None:
    data = image(*shape)
    logits = predict_logits(Pointwise(), data, patch_size=patch, overlap=overlap, batch_size=batch)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, Pointwise()(data[None])[0], rtol=1e-5, atol=1e-5)


def stitched_whole(network: nn.Module, data: Tensor, patch: tuple[int, ...], overlap: float) -> Tensor:
    """The slow truth: the padded image, sums and weights of all its voxels at once, one window after the other."""
    size, length = data.shape[1:], (1,) * (4 - 1 - len(patch)) + patch
    extra = [max(want - have, 0) for want, have in zip(length, size, strict=True)]
    padded = nn.functional.pad(data, [side for more in reversed(extra) for side in (more // 2, more - more // 2)])
    starts = [window_starts(have, want, overlap) for have, want in zip(padded.shape[1:], length, strict=True)]
    weights, total, weight = window_weights(patch).reshape(length), torch.empty(0), torch.zeros(padded.shape[1:])
    for corner in product(*starts):
        place = tuple(slice(start, start + want) for start, want in zip(corner, length, strict=True))
        window = padded[(slice(None), *place)][None]
        logits = network(window.squeeze(2) if len(patch) == 2 else window)[0].reshape(-1, *length)
        total = total if total.numel() else torch.zeros((len(logits), *padded.shape[1:]))
        total[(slice(None), *place)] += logits * weights
        weight[place] += weights
    inside = [slice(more // 2, more // 2 + have) for more, have in zip(extra, size, strict=True)]
    return (total / weight)[(slice(None), *inside)]


@pytest.mark.parametrize("overlap", [0.5, 0.8])
@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        ((41, 5, 6), (9, 4, 4)),
        ((41, 5, 6), (20, 8, 4)),
        ((7, 9, 6), (16, 4, 4)),
        ((19, 9, 6), (4, 8)),
        ((8, 4, 4), (8, 4, 4)),
    ],
)
def test_slabs_are_bit_by_bit_what_all_windows_at_once_are(
    shape: tuple[int, ...], patch: tuple[int, ...], overlap: float
) -> None:
    network, data = Neighbours(len(patch)), image(*shape)
    with torch.inference_mode():
        expected = stitched_whole(network, data, patch, overlap)
        slabs = list(predict_slabs(network, data, patch_size=patch, overlap=overlap))
    assert {slab.shape[1] for slab in slabs[:-1]} <= {SLAB}
    assert torch.equal(torch.cat(slabs, 1), expected)
    with torch.inference_mode():
        assert torch.equal(predict_logits(network, data, patch_size=patch, overlap=overlap), expected)


def test_what_is_held_does_not_grow_with_the_length_of_the_image() -> None:
    short, long = (stitching_bytes(24, (length, 512, 512), (96, 160, 160)) for length in (103, 600))
    assert short == long == 4 * 25 * 103 * 512 * 512
    assert stitching_bytes(4, (5, 10, 10), (8, 8)) == 4 * 5 * 5 * 100


@settings(deadline=None)
@given(patch=st.integers(2, 300), more=st.integers(0, 900), overlap=st.sampled_from([0.0, 0.25, 0.5]))
def test_windows_start_where_nnunets_do(patch: int, more: int, overlap: float) -> None:
    expected = compute_steps_for_sliding_window((patch + more,), (patch,), 1 - overlap)
    assert window_starts(patch + more, patch, overlap) == expected[0]


@pytest.mark.parametrize("patch", [(20, 256, 224), (96, 160, 160), (16, 15), (1, 400, 400), (4, 5, 6)])
def test_weights_are_nnunets(patch: tuple[int, ...]) -> None:
    expected = compute_gaussian(patch, value_scaling_factor=10, device=torch.device("cpu"))
    assert torch.equal(window_weights(patch), expected.float())


@pytest.mark.parametrize("patch", [(4, 4, 4), (4, 4)])
def test_the_image_itself_is_left_alone(patch: tuple[int, ...]) -> None:
    data = image(6, 9, 7)
    before = data.clone()
    logits = predict_logits(Identity(), data, patch_size=patch)
    torch.testing.assert_close(logits, before)
    assert torch.equal(data, before)


@pytest.mark.parametrize("patch", [(3, 6, 5), (6, 5)])
def test_batch_size_changes_nothing(patch: tuple[int, ...]) -> None:
    network, data = Neighbours(len(patch)), image(7, 11, 9)
    one_by_one = predict_logits(network, data, patch_size=patch, batch_size=1)
    for batch in (2, 3, 100):
        torch.testing.assert_close(predict_logits(network, data, patch_size=patch, batch_size=batch), one_by_one)


def test_patch_as_large_as_the_image_is_one_forward_pass() -> None:
    network, data = Neighbours(3), image(5, 6, 7)
    expected = network(data[None])[0].detach()
    torch.testing.assert_close(predict_logits(network, data, patch_size=(5, 6, 7)), expected)


def test_larger_patch_is_a_forward_pass_of_the_padded_image() -> None:
    network, data = Neighbours(3), image(5, 6, 7)
    padded = nn.functional.pad(data, (1, 2, 1, 1, 0, 1))
    expected = network(padded[None])[0, :, :5, 1:7, 1:8].detach()
    torch.testing.assert_close(predict_logits(network, data, patch_size=(6, 8, 10)), expected)


def test_slices_are_independent_images() -> None:
    network, data = Neighbours(2), image(6, 9, 8)
    together = predict_logits(network, data, patch_size=(5, 5), batch_size=4)
    for index in range(6):
        alone = predict_logits(network, data[:, index : index + 1], patch_size=(5, 5))
        torch.testing.assert_close(together[:, index : index + 1], alone)


@pytest.mark.parametrize(
    ("patch", "axes"), [((4, 5, 6), (0, 1, 2)), ((4, 5, 6), (2,)), ((5, 6), (0, 1)), ((5, 6), (1, 1))]
)
def test_mirroring_an_equivariant_network_changes_nothing(patch: tuple[int, ...], axes: tuple[int, ...]) -> None:
    network, data = Neighbours(len(patch)), image(6, 8, 9)
    plain = predict_logits(network, data, patch_size=patch)
    torch.testing.assert_close(predict_logits(network, data, patch_size=patch, mirror_axes=axes), plain)


def test_mirroring_averages_the_logits_of_all_flips() -> None:
    network, data = nn.Conv3d(1, 2, 3, padding=1), image(4, 5, 6)
    flips: list[tuple[int, ...]] = [(), (1,), (3,), (1, 3)]
    expected = torch.stack([network(data.flip(axes)[None])[0].flip(axes) for axes in flips]).mean(0)
    logits = predict_logits(network, data, patch_size=(4, 5, 6), mirror_axes=(0, 2))
    torch.testing.assert_close(logits, expected.detach(), rtol=1e-5, atol=1e-5)


def test_corners_have_weight_even_in_long_patches() -> None:
    data = image(1, 400, 400)
    logits = predict_logits(Identity(), data, patch_size=(1, 400, 400))
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(logits, data)


def test_network_keeps_its_modes_and_its_gradients_stay_off() -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 1), nn.Dropout(0.9))
    network.train()
    network[0].eval()
    data = image(4, 4, 4)
    first, second = (predict_logits(network, data, patch_size=(2, 2, 2)) for _ in range(2))
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert [module.training for module in network.modules()] == [True, False, True]


def test_low_precision_logits_are_accumulated_in_float32() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.bfloat16()

    data = image(6, 6, 6)
    logits = predict_logits(Half(), data, patch_size=(4, 4, 4))
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, data.bfloat16().float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "patch", "overlap", "axes", "message"),
    [
        ((4, 4), (2, 2), 0.5, (), r"float32 \(channel, 3 axes\)"),
        ((4, 4, 4), (2,), 0.5, (), "two or three axes"),
        ((4, 4, 4), (2, 2), 1.0, (), "overlap must be in"),
        ((4, 4, 4), (2, 2), 0.5, (2,), r"among 0\.\.1, got \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(
    shape: tuple[int, ...], patch: tuple[int, ...], overlap: float, axes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        predict_logits(Identity(), image(*shape), patch_size=patch, overlap=overlap, mirror_axes=axes)
