"""FreqFusion: the published numbers, one module for 2D and 3D, and what holds for every size and option."""

import json
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tests.models.decoders.drawn_fusion import HR, LR, OPTIONS, Size, check_close, drawn_fusion, drawn_maps
from uumamba.core.errors import ConfigError, InputError
from uumamba.models.decoders.freqfusion import FreqFusion
from uumamba.models.decoders.offsets import cut

PARITY = Path(__file__).parents[3].parent / "shared" / "parity" / "freqfusion"
PUBLISHED = ["default", "resample", "no_semi_conv", "bilinear_no_semi", "no_comp_upsample", "no_hamming", "no_highpass",
             "no_hr_residual"]  # fmt: skip


def stored(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and options of a file of published numbers."""
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in list(file.keys())}, json.loads(file.metadata()["config"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers(name: str) -> None:
    """Weights load by their published names, alone or inside another module, and ours are kept under ours."""
    tensors, config = stored(name)
    state = {key.removeprefix("state/"): tensor for key, tensor in tensors.items() if key.startswith("state/")}
    names = set(state)
    module = FreqFusion(2, padding="reflect", **config)
    module.load_state_dict(state, strict=True)
    assert set(state) == names
    with torch.no_grad():
        found = module(tensors["input/hr"], tensors["input/lr"])
    check_close(found, tuple(tensors[f"output/{output}"] for output in ("mask_lr", "hr", "lr")), atol=1e-4)
    inside = nn.ModuleDict({"stage": FreqFusion(2, padding="reflect", **config)})
    inside.load_state_dict({f"stage.{key}": tensor for key, tensor in state.items()}, strict=True)
    assert all(torch.equal(tensor, module.state_dict()[key]) for key, tensor in inside["stage"].state_dict().items())


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_the_state_is_parameters_alone_and_round_trips(options: dict[str, Any]) -> None:
    module, other = drawn_fusion(3, **options), FreqFusion(3, HR, LR, **{"compressed_channels": 8} | options).double()
    assert set(module.state_dict()) == {name for name, _ in module.named_parameters()}
    other.load_state_dict(module.state_dict(), strict=True)
    hr, lr = drawn_maps((4, 6, 5), (2, 2, 2), batch=1)
    with torch.no_grad():
        check_close(other(hr, lr), module(hr, lr), atol=0)


@pytest.mark.parametrize(
    ("high", "scale"),
    [((9, 7), (3, 2)), ((5, 6), (1, 1)), ((1, 1), (2, 2)), ((2, 1), (1, 2)), ((1, 9, 7), (1, 2, 2)),
     ((3, 5, 4), (3, 2, 1)), ((1, 1, 1), (2, 2, 2)), ((2, 3, 2), (1, 1, 1)), ((5, 1, 3), (2, 3, 2))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", ["resample", "no semi_conv", "bilinear"])
def test_any_size_and_scale(high: Size, scale: Size, name: str) -> None:
    """Odd sizes, one slice, single voxels and maps smaller than kernels; a batch is its items one by one."""
    module = drawn_fusion(len(high), scale=scale, **OPTIONS[name])
    hr, lr = drawn_maps(high, scale)
    with torch.no_grad():
        mask, sharp, enlarged = module(hr, lr)
        alone = [module(hr[item : item + 1], lr[item : item + 1]) for item in range(2)]
    assert (mask.shape[2:], sharp.shape, enlarged.shape) == (high, hr.shape, (2, LR, *high))
    assert all(x.isfinite().all() for x in (mask, sharp, enlarged))
    check_close((mask, sharp, enlarged), tuple(torch.cat(parts) for parts in zip(*alone, strict=True)))


@pytest.mark.parametrize("name", ["resample", "no semi_conv", "no comp_feat_upsample", "groups"])
@pytest.mark.parametrize(("high", "scale"), [((7, 8), (2, 2)), ((3, 7, 8), (1, 2, 2))], ids=str)
def test_constant_maps_stay(name: str, high: Size, scale: Size) -> None:
    """Nothing fades at the border, and there is nothing to sharpen."""
    module = drawn_fusion(len(high), scale=scale, **OPTIONS[name])
    levels = [torch.randn(2, channels, *[1] * len(high), dtype=torch.float64) for channels in (HR, LR)]
    expected = [level.expand(-1, -1, *high) for level in levels]
    low = [-(-size // step) for size, step in zip(high, scale, strict=True)]
    with torch.no_grad():
        _, sharp, enlarged = module(expected[0], levels[1].expand(-1, -1, *low))
    check_close((sharp, enlarged), tuple(expected))


@pytest.mark.parametrize("high", [(8, 7), (4, 7, 9)], ids=str)
@pytest.mark.parametrize(("mode", "align"), [("nearest", None), ("bilinear", False), ("bilinear", True)])
def test_kernels_of_one_voxel_leave_the_interpolated_map(high: Size, mode: str, align: bool | None) -> None:
    options = {"semi_conv": False, "upsample_mode": mode, "align_corners": bool(align)}
    hr, lr = drawn_maps(high, (2,) * len(high))
    with torch.no_grad():
        _, _, enlarged = drawn_fusion(len(high), lowpass_kernel=1, **options)(hr, lr)
    if mode == "nearest":
        expected = cut(functional.interpolate(lr, scale_factor=2.0), high)
    else:
        linear = "bilinear" if len(high) == 2 else "trilinear"
        expected = functional.interpolate(lr, size=high, mode=linear, align_corners=align)
    check_close((enlarged,), (expected,))


@pytest.mark.parametrize("high", [(8, 7), (4, 7, 9)], ids=str)
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_without_semi_conv_the_coarse_map_may_as_well_be_enlarged_before(high: Size, padding: str) -> None:
    axes = len(high)
    hr, lr = drawn_maps(high, (2,) * axes)
    module, fine = (drawn_fusion(axes, semi_conv=False, padding=padding, scale=scale) for scale in (2, 1))
    with torch.no_grad():
        check_close(module(hr, lr), fine(hr, cut(functional.interpolate(lr, scale_factor=2.0), high)))


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("axes", [2, 3])
def test_every_parameter_has_a_gradient(name: str, axes: int) -> None:
    """Also as it is initialised, where gates are closed by half."""
    module = drawn_fusion(axes, **OPTIONS[name])
    module.initialise()
    _, sharp, enlarged = module(*drawn_maps((6, 7, 8)[-axes:], (2,) * axes))
    (sharp.square().sum() + enlarged.square().sum()).backward()
    for parameter, values in module.named_parameters():
        assert values.grad is not None, parameter
        assert values.grad.isfinite().all()
        assert values.grad.any(), parameter


@pytest.mark.parametrize(
    ("high", "scale", "name"),
    [((5, 4), (2, 2), "resample"), ((3, 4, 3), (1, 2, 2), "resample"), ((4, 5), (2, 2), "no semi_conv")],
    ids=str,
)
def test_gradients_are_those_of_differences(high: Size, scale: Size, name: str) -> None:
    """Of maps and of every parameter, offsets being about a third of a voxel, away from the kinks at whole ones."""
    module = drawn_fusion(len(high), scale=scale, lowpass_kernel=3, **OPTIONS[name])
    generator = module.offset_generator
    assert generator is not None
    generator.initialise()
    with torch.no_grad():
        dict(generator.named_parameters())["hr_offset.bias"].fill_(0.3)
    names = [parameter for parameter, _ in module.named_parameters()]
    inputs = [*drawn_maps(high, scale, batch=1), *module.parameters()]

    def run(hr: Tensor, lr: Tensor, *values: Tensor) -> Any:
        return functional_call(module, dict(zip(names, values, strict=True)), (hr, lr))

    leaves = tuple(x.detach().requires_grad_() for x in inputs)
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)


def window_smoothed(module: FreqFusion, lr: Tensor) -> Tensor:
    """The coarse map filtered by the window alone, which is renormalised at the border."""
    flat = torch.zeros(1, prod(module.low_pass.kernel_size), *lr.shape[2:], dtype=lr.dtype)
    kernels = module.low_pass.kernels(flat, scale=(1,) * len(module.scale)).expand(len(lr), *[-1] * (lr.ndim - 1))
    return module.low_pass.smooth(lr, kernels, scale=(1,) * len(module.scale))


@pytest.mark.parametrize("scale", [(2, 2), (1, 2, 2), (2, 2, 2)])
@pytest.mark.parametrize("resample", [False, True])
def test_it_starts_as_nearest_upsampling_of_a_smoothed_map(scale: Size, resample: bool) -> None:
    """Close to plain nearest upsampling of a smooth map; `initialise` brings that back after a general one."""
    axes, size = len(scale), (12, 20, 20)[-len(scale) :]
    module = drawn_fusion(axes, scale=scale, feature_resample=resample)
    hr, lr = drawn_maps(size, scale, batch=1)
    places = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in lr.shape[2:]), indexing="ij")
    lr = torch.sin(torch.stack(places).sum(0) / 10 + torch.arange(LR).reshape(-1, *[1] * axes))[None]
    for initialised in (False, True):
        with torch.no_grad():
            found = module.responses(hr, lr)
            smoothed, plain = (_nearest(x, size) for x in (window_smoothed(module, lr), lr))
        if initialised:
            assert float((found.smoothed_lr - smoothed).abs().max()) < 0.01
            assert _rms(found.lr - smoothed) < 0.01 * _rms(plain)
            assert _rms(found.lr - plain) < 0.1 * _rms(plain)
            assert found.offsets is None or _rms(found.offsets) < 0.02
        else:
            assert _rms(found.lr - smoothed) > 0.02 * _rms(plain)
        module.initialise()


def test_a_new_module_is_initialised() -> None:
    """With the published deviations, its encoder dilated as asked."""
    module = FreqFusion(2, HR, LR, feature_resample=True, encoder_dilation=2)
    assert module.offset_generator is not None
    assert module.high_pass is not None
    encoders = (module.low_pass.encoder, module.high_pass.encoder)
    assert all(encoder.dilation == (2, 2) for encoder in encoders)
    for layer in (*encoders, module.offset_generator.offset, module.offset_generator.hr_offset):
        assert _rms(layer.weight) == pytest.approx(0.001, rel=0.1)
        assert layer.bias is not None
        assert not layer.bias.any()


def _nearest(x: Tensor, size: Size) -> Tensor:
    return functional.interpolate(x, size=size, mode="nearest")


def _rms(x: Tensor) -> float:
    return float(x.detach().square().mean().sqrt())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("name", ["resample", "no semi_conv", "no comp_feat_upsample"])
def test_mixed_precision(name: str, axes: int, dtype: torch.dtype) -> None:
    """Kernels stay in float32, maps in their own precision, and both close to those in full precision."""
    module = drawn_fusion(axes, **OPTIONS[name]).float()
    hr, lr = (x.to(dtype) for x in drawn_maps((6, 8, 10)[-axes:], (2,) * axes))
    with torch.no_grad():
        expected = module(hr.float(), lr.float())
    with torch.autocast("cpu", torch.bfloat16):
        mask, sharp, enlarged = module(hr, lr)
        loss = sharp.float().sum() + enlarged.float().sum()
    assert (mask.dtype, sharp.dtype, enlarged.dtype) == (torch.float32, dtype, dtype)
    for one, other in zip((mask, sharp, enlarged), expected, strict=True):
        assert one.isfinite().all()
        assert _rms(one.float() - other) < 0.05 * _rms(other)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize(
    ("high", "low", "message"),
    [((2, 4, 8, 6), (2, 8, 4, 4), r"for this hr and scale \(2, 2\) lr must have size \(4, 3\); got hr \(2, 4, 8, 6\)"),
     ((2, 4, 8, 6), (2, 8, 8, 6), r"lr must have size \(4, 3\)"),
     ((2, 4, 8, 6), (2, 4, 4, 3), r"hr must be \(batch, 4, \*high\) and lr \(batch, 8, \*low\), with 2 spatial axes"),
     ((2, 3, 8, 6), (2, 8, 4, 3), "hr must be .*; got hr .2, 3, 8, 6., lr .2, 8, 4, 3."),
     ((2, 4, 8, 6), (1, 8, 4, 3), "hr must be .*, lr .1, 8, 4, 3."),
     ((2, 4, 8, 6, 2), (2, 8, 4, 3, 1), "hr must be .* with 2 spatial axes"),
     ((2, 4, 8, 6), (2, 8, 4), "hr must be .*, lr .2, 8, 4."), ((4, 8, 6), (8, 4, 3), "hr must be .*, lr .8, 4, 3."),
     ((2, 4, 0, 6), (2, 8, 0, 3), "with 2 spatial axes, none of them 0; got hr .2, 4, 0, 6.")],
)  # fmt: skip
def test_maps_that_do_not_fit(high: Size, low: Size, message: str) -> None:
    with pytest.raises(InputError, match=f"^FreqFusion: .*{message}"):
        FreqFusion(2, HR, LR)(torch.ones(high), torch.ones(low))


def test_mirrored_maps_must_be_larger_than_half_a_kernel() -> None:
    with pytest.raises(InputError, match=r"'reflect' needs more elements .* use padding 'zeros' or a smaller kernel"):
        FreqFusion(2, HR, LR, padding="reflect")(torch.ones(1, HR, 8, 4), torch.ones(1, LR, 4, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lowpass_kernel": 4}, "lowpass_kernel must be an odd number, at least 1, or one for each of 2 axes, got 4"),
     ({"lowpass_kernel": (5, 3, 3)}, r"lowpass_kernel must be .* got \(5, 3, 3\)"),
     ({"highpass_kernel": (3, 2)}, r"highpass_kernel must be an odd number, .* got \(3, 2\)"),
     ({"encoder_kernel": -1}, "encoder_kernel must be an odd number, .* got -1"),
     ({"scale": (1, 2, 2)}, r"scale must be a whole number, at least 1, or one for each of 2 axes, got \(1, 2, 2\)"),
     ({"scale": (2, 0)}, r"scale must be .* got \(2, 0\)"), ({"scale_factor": 2}, "scale_factor: Input should be 1"),
     ({"up_group": 3}, "up_group must divide the 4 channels of its map, got 3"),
     ({"up_group": 0}, "up_group: Input should be greater than 0"),
     ({"feature_resample": True, "feature_resample_group": 3}, "feature_resample_group must divide the 8 channels"),
     ({"use_low_pass": True}, "use_low_pass: Extra inputs are not permitted"),
     ({"padding": "wrap"}, "padding: Input should be 'zeros' or 'reflect'"),
     ({"upsample_mode": "cubic"}, "upsample_mode: Input should be 'nearest' or 'bilinear'"),
     ({"spatial_dims": 4}, "spatial_dims must be 2 or 3, got 4")],
)  # fmt: skip
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^FreqFusion: {message}"):
        FreqFusion(**{"spatial_dims": 2, "hr_channels": HR, "lr_channels": LR} | options)


def test_groups_of_what_is_off_do_not_matter() -> None:
    """And compressed channels of any number do without normalisation."""
    FreqFusion(2, HR, LR, feature_resample_group=3, compressed_channels=28)
    module = drawn_fusion(2, feature_resample=True, feature_resample_norm=False, compressed_channels=28)
    assert module(*drawn_maps((4, 4), (2, 2)))[2].shape == (2, LR, 4, 4)
