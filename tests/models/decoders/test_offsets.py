"""Offsets: their order, what resampling by them does along each axis, and the pieces they are made of."""

from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.models.decoders.offsets import OffsetGenerator, cut, spread

Size = tuple[int, ...]


def generator(scale: Size, *, groups: int = 2, kernel: Size | None = None, **options: Any) -> OffsetGenerator:
    """A generator with drawn weights, in float64."""
    torch.manual_seed(0)
    return OffsetGenerator(8, kernel=kernel or (3,) * len(scale), scale=scale, groups=groups, **options).double()


def space_to_depth(x: Tensor, scale: Size) -> Tensor:
    """Voxel by voxel, by the meaning of `spread`: channel c of x is in channels c prod(scale) and on; 0 beyond x."""
    low = [-(-size // step) for size, step in zip(x.shape[2:], scale, strict=True)]
    out = x.new_zeros(len(x), x.shape[1] * prod(scale), *low)
    for place in torch.cartesian_prod(*(torch.arange(size) for size in x.shape[2:])).tolist():
        within = 0
        for index, step in zip(place, scale, strict=True):
            within = within * step + index % step
        block = tuple(index // step for index, step in zip(place, scale, strict=True))
        out[(slice(None), slice(within, None, prod(scale)), *block)] = x[(slice(None), slice(None), *place)]
    return out


def test_spread_is_pixel_shuffle() -> None:
    x = torch.randn(2, 12, 3, 5)
    assert torch.equal(spread(x, (2, 2), (6, 10)), functional.pixel_shuffle(x, 2))
    assert torch.equal(spread(x, (2, 2), (5, 9)), functional.pixel_shuffle(x, 2)[..., :5, :9])
    assert torch.equal(spread(x, (1, 1), (3, 5)), x)


@pytest.mark.parametrize(
    ("scale", "size"),
    [((1, 2, 2), (3, 4, 6)), ((1, 2, 2), (2, 5, 3)), ((2, 1, 3), (3, 2, 7)), ((3, 2), (7, 5)), ((2, 2, 2), (1, 1, 1))],
)
def test_spread_undoes_space_to_depth(scale: Size, size: Size) -> None:
    """For a factor of its own on every axis, and sizes that it does not divide."""
    x = torch.randn(2, 3, *size)
    assert torch.equal(spread(space_to_depth(x, scale), scale, size), x)


def test_cut_keeps_the_first_voxels() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(cut(x, (2, 3)), x[..., :2, :3])
    assert torch.equal(cut(x, (4,)), x)


@pytest.mark.parametrize(("scale", "size"), [((2, 2), (5, 8)), ((2, 1), (1, 4)), ((1, 2, 3), (3, 4, 5))])
def test_no_offset_changes_nothing(scale: Size, size: Size) -> None:
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    found = generator(scale).resample(x, x.new_zeros(2, len(size), 2, *size))
    torch.testing.assert_close(found, x, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("scale", "axis"), [((2, 2), 0), ((1, 2), 1), ((1, 2, 2), 0), ((1, 2, 2), 1), ((2, 1, 3), 2)])
@pytest.mark.parametrize("step", [1, -1])
def test_an_offset_of_one_voxel_shifts_by_one(scale: Size, axis: int, step: int) -> None:
    """Along one axis, of one group of channels; at the border the outermost voxel stays."""
    size = (4, 5, 6)[: len(scale)]
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    offsets = x.new_zeros(2, len(size), 2, *size)
    offsets[:, len(size) - 1 - axis, 1] = step / scale[axis]
    moved = (torch.arange(size[axis]) + step).clamp(0, size[axis] - 1)
    expected = torch.cat((x[:, :3], x[:, 3:].index_select(2 + axis, moved)), dim=1)
    torch.testing.assert_close(generator(scale).resample(x, offsets), expected, atol=1e-12, rtol=0)


def test_between_voxels_the_map_is_linear() -> None:
    """A ramp along each axis is read where the offset says, in voxels of the low grid."""
    size, scale, shifts = (5, 6, 7), (1, 2, 3), (0.25, -0.2, 0.15)
    ramps = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij"))[None]
    offsets = torch.tensor(shifts[::-1], dtype=torch.float64).reshape(1, 3, 1, 1, 1, 1).expand(1, 3, 1, *size)
    moved = (generator(scale, groups=1).resample(ramps, offsets) - ramps)[..., 1:-1, 1:-1, 1:-1]
    for axis in range(3):
        expected = torch.full_like(moved[0, axis], shifts[axis] * scale[axis])
        torch.testing.assert_close(moved[0, axis], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("kernel", "scale", "steps"),
    [((3, 3), (2, 2), (2, 2)), ((3, 3), (1, 2), (1, 2)), ((1, 3, 3), (1, 2, 2), (0, 2, 2)),
     ((3, 3, 3), (1, 2, 2), (1, 2, 2))],
)  # fmt: skip
def test_similarity_is_the_cosine_with_every_neighbour(kernel: Size, scale: Size, steps: Size) -> None:
    """8 or 26 of them, row by row, two apart along enlarged axes; none along flat ones; 0 outside."""
    size = (3, 4, 5)[-len(kernel) :]
    x = torch.randn(1, 8, *size, dtype=torch.float64)
    found = generator(scale, kernel=kernel)._similarity(x)[0]
    moves = torch.cartesian_prod(*(torch.tensor((-step, 0, step) if step else (0,)) for step in steps)).tolist()
    moves.remove([0] * len(size))
    assert len(found) == len(moves) == prod(3 if step else 1 for step in steps) - 1
    for place in torch.cartesian_prod(*(torch.arange(n) for n in size)).tolist():
        for index, move in enumerate(moves):
            other = [a + b for a, b in zip(place, move, strict=True)]
            inside = all(0 <= a < n for a, n in zip(other, size, strict=True))
            here, there = x[(0, slice(None), *place)], x[(0, slice(None), *(other if inside else place))]
            expected = float(here @ there / here.norm() / there.norm()) if inside else 0.0
            assert float(found[(index, *place)]) == pytest.approx(expected, abs=1e-12)


def test_features_of_zero_are_similar_to_nothing() -> None:
    """And have a gradient."""
    x = torch.zeros(1, 8, 4, 4, dtype=torch.float64, requires_grad=True)
    similarity = generator((2, 2))._similarity(x)
    assert not similarity.any()
    (gradient,) = torch.autograd.grad(similarity.sum(), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("scale", "norm"), [((2, 2), True), ((1, 2, 3), True), ((1, 2, 2), False)])
def test_offsets_are_gated_sums_of_both_maps(scale: Size, norm: bool) -> None:
    """By the published formula, one convolution after the other."""
    layer, size = generator(scale, norm=norm), (4, 5, 6)[: len(scale)]
    low = [-(-n // step) for n, step in zip(size, scale, strict=True)]
    hr, lr = (torch.randn(2, 8, *n, dtype=torch.float64) for n in (size, low))
    fine, coarse = (torch.cat((x, layer._similarity(x)), dim=1) for x in (layer.norm_hr(hr), layer.norm_lr(lr)))
    gate = (layer.hr_direct_scale(fine) + spread(layer.direct_scale(coarse), scale, size)).sigmoid()
    expected = (layer.hr_offset(fine) + spread(layer.offset(coarse), scale, size)) * gate
    found = layer(hr, lr)
    assert found.shape == (2, len(size), 2, *size)
    torch.testing.assert_close(found.flatten(1, 2), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [(2, 2), (1, 2, 2), (2, 2, 2)])
def test_it_starts_next_to_nothing(scale: Size) -> None:
    """Most offsets are below 0.02 voxels of the low grid, for maps of any range since they are normalised."""
    layer, size = generator(scale), (6, 8, 8)[-len(scale) :]
    with torch.no_grad():
        for convolution in (layer.offset, layer.hr_offset, layer.direct_scale, layer.hr_direct_scale):
            for parameter in convolution.parameters():
                parameter.normal_()
        layer.initialise()
        low = [n // step for n, step in zip(size, scale, strict=True)]
        hr, lr = (30 * torch.randn(1, 8, *n, dtype=torch.float64) for n in (size, low))
        offsets = layer(hr, lr)
    assert 0 < offsets.square().mean().sqrt() < 0.02
    assert offsets.abs().max() < 0.05
    assert float(layer.offset.weight.detach().std()) == pytest.approx(0.001, rel=0.1)
    assert not any(p.any() for gate in (layer.direct_scale, layer.hr_direct_scale) for p in gate.parameters())


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (8, 1), (24, 3), (28, 2), (29, 1)])
def test_any_number_of_channels_can_be_normalised(channels: int, groups: int) -> None:
    norm = OffsetGenerator(channels, kernel=(3, 3), scale=(2, 2), groups=1).norm_hr
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == groups


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_voxel_of_zeros_has_no_direction(dtype: torch.dtype) -> None:
    """Also where the least length would vanish in half precision."""
    layer = OffsetGenerator(8, kernel=(3, 3), scale=(2, 2), groups=1, norm=False).to(dtype)
    hr, lr = (torch.zeros(1, 8, size, size, dtype=dtype, requires_grad=True) for size in (8, 4))
    offsets = layer(hr, lr)
    offsets.float().sum().backward()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in (offsets, hr.grad, lr.grad))
