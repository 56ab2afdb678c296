"""FreqFusion is one module for all axes: 3D of equal slices is 2D, and no axis is taken for another."""

from itertools import permutations
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models.decoders.drawn_fusion import OPTIONS, Size, check_close, drawn_fusion, drawn_maps
from uumamba.models.decoders.freqfusion import FreqFusion


def deepened(flat: FreqFusion, **options: Any) -> FreqFusion:
    """The 3D module of the same weights that looks at each slice alone: offsets along the depth, the last, are 0."""
    sizes: dict[str, Any] = {"lowpass_kernel": (1, 5, 5), "highpass_kernel": (1, 3, 3), "scale": (1, 2, 2)}
    deep = drawn_fusion(3, **options | sizes)
    state = {}
    for name, tensor in flat.state_dict().items():
        deeper = tensor.unsqueeze(2) if tensor.ndim == 4 else tensor
        if name.startswith("offset_generator") and ".norm" not in name:
            deeper = torch.cat((deeper, torch.zeros_like(deeper[: len(deeper) // 2])))
        state[name] = deeper
    deep.load_state_dict(state, strict=True)
    return deep


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_equal_slices_are_fused_as_one_is(options: dict[str, Any], padding: str, size: Size) -> None:
    """3D with flat kernels gives for a stack of equal slices what 2D gives for one, everything on the way too."""
    options = options | {"padding": padding}
    flat = drawn_fusion(2, **options)
    deep = deepened(flat, **options)
    hr, lr = drawn_maps(size, (2, 2))
    with torch.no_grad():
        expected = vars(flat.responses(hr, lr))
        found = vars(deep.responses(*(x.unsqueeze(2).expand(-1, -1, 3, -1, -1) for x in (hr, lr))))
    offsets, flat_offsets = found.pop("offsets"), expected.pop("offsets")
    for name, value in expected.items():
        assert (value is None) == (found[name] is None)
        for depth in range(3 if value is not None else 0):
            torch.testing.assert_close(found[name][:, :, depth], value, atol=1e-12, rtol=0)
    if flat_offsets is not None:
        assert not offsets[:, 2].any()
        for depth in range(3):
            torch.testing.assert_close(offsets[:, :2, :, depth], flat_offsets, atol=1e-12, rtol=0)


def reordered(sizes: Size, order: Size) -> Size:
    """One number per axis, in the new order of axes."""
    return tuple(sizes[axis] for axis in order)


def permuted_state(module: FreqFusion, order: Size) -> dict[str, Tensor]:
    """The weights with which a module does along axes in another order what this one does."""
    axes, scale, state = len(order), module.scale, {}
    spatial = [2 + axis for axis in order]
    inputs = _permuted_inputs(module, order)
    component = torch.tensor([axes - 1 - order[axes - 1 - new] for new in range(axes)])
    for name, tensor in module.state_dict().items():
        if tensor.ndim > 2:
            tensor = tensor.permute(0, 1, *spatial)
        piece = name.split(".")[0]
        if piece in ("low_pass", "high_pass"):
            kernel = getattr(module, piece).kernel_size
            tensor = _outputs(tensor, (-1, *kernel), [0, *(1 + axis for axis in order)])
        elif piece == "offset_generator" and ".norm" not in name:
            tensor = tensor[:, inputs] if tensor.ndim > 2 else tensor
            factors = (1,) * axes if ".hr_" in name else scale
            tensor = tensor[torch.arange(len(tensor)).reshape(axes, -1)[component].flatten()]
            tensor = _outputs(tensor, (-1, *factors), [0, *(1 + axis for axis in order)])
        state[name] = tensor
    return state


def _permuted_inputs(module: FreqFusion, order: Size) -> Tensor:
    """Of the offset generator's convolutions: features, then neighbours row by row without the middle."""
    generator = module.offset_generator
    assert generator is not None
    assert isinstance(generator.norm_hr, nn.GroupNorm)
    around = tuple(3 if step else 1 for step in generator.steps)
    features, half = generator.norm_hr.num_channels, prod(around) // 2
    grid = torch.cat((torch.arange(half), torch.tensor([-1]), torch.arange(half, 2 * half)))
    neighbours = grid.reshape(around).permute(order).flatten()
    return torch.cat((torch.arange(features), features + neighbours[neighbours >= 0]))


def _outputs(tensor: Tensor, shape: Size, order: list[int]) -> Tensor:
    """A tensor whose first axis, seen in this shape, is in another order."""
    return tensor[torch.arange(len(tensor)).reshape(shape).permute(order).flatten()]


@pytest.mark.parametrize("order", [*permutations(range(3)), (1, 0)], ids=str)
@pytest.mark.parametrize("kernel", [(3, 5, 3), (1, 5, 3)], ids=str)
def test_axes_are_alike(order: Size, kernel: Size) -> None:
    """Permuted maps, kernels, scales and weights give the permuted result: no axis is taken for another."""
    axes, scale, size = len(order), (1, 2, 3)[-len(order) :], (4, 7, 8)[-len(order) :]
    sizes: dict[str, Size] = {"lowpass_kernel": kernel[-axes:], "highpass_kernel": (3, 3, 5)[-axes:], "scale": scale}
    module = drawn_fusion(axes, feature_resample=True, encoder_kernel=3, up_group=2, **sizes)
    turned = drawn_fusion(
        axes, feature_resample=True, encoder_kernel=3, up_group=2,
        **{name: reordered(numbers, order) for name, numbers in sizes.items()},
    )  # fmt: skip
    turned.load_state_dict(permuted_state(module, order), strict=True)
    spatial = [2 + axis for axis in order]
    hr, lr = drawn_maps(size, scale)
    with torch.no_grad():
        mask, sharp, enlarged = module(hr, lr)
        found = turned(*(x.permute(0, 1, *spatial) for x in (hr, lr)))
    mask = _outputs(mask.transpose(0, 1), (2, *kernel[-axes:]), [0, *(1 + axis for axis in order)]).transpose(0, 1)
    check_close(found, tuple(x.permute(0, 1, *spatial) for x in (mask, sharp, enlarged)))
