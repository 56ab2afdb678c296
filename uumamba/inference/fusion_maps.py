"""What a decoder's FreqFusion does in one patch: a few numbers at every place, and how they differ at borders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, unflatten

from uumamba.core.errors import UumambaError
from uumamba.models.decoders.freqfusion import FreqFusion, Responses
from uumamba.models.decoders.fused_upsampling import FusedUpsampling
from uumamba.models.decoders.unet import UNetDecoder

UNKNOWN = -1
"""The number of places in a label map that are neither border nor elsewhere."""

_LOW, _HIGH, _DETAILS, _OFFSET = "kernel_width", "low_pass_change", "high_pass_gain", "offset"
UNITS = {_LOW: "coarse voxels", _HIGH: "% of coarse map", _DETAILS: "% of skip", _OFFSET: "coarse voxels"}
"""The quantities, in the order in which FreqFusion computes them, and their units.

`kernel_width`: root of the low-pass kernel's second moment, 0 if it takes the place alone. `low_pass_change`: the
coarse map enlarged by repetition, less the filtered one. `high_pass_gain`: what the high-pass filter adds to the skip.
Both are root mean squares over the channels at a place, in per cent of the same over the whole map. `offset`: how far
from its place the coarse map is read, mean over the groups.
"""
_WORDS = {
    _LOW: ("narrower", "wider", "wide"),
    _HIGH: ("less", "more", "much"),
    _DETAILS: ("less", "more", "much"),
    _OFFSET: ("shorter", "longer", "long"),
}
_TIMES = 2
_FEWEST = 20
"""With fewer places on a side their means say nothing."""


@dataclass(frozen=True)
class StageMaps:
    """One fused decoder stage (0 is full resolution) in one patch; axes as the network's, two or three.

    `maps` (*size) float32 by quantity, without what is turned off; `arrows` (axes, *size) the offsets' mean over the
    groups in coarse voxels, first axis first. `stride` is the patch's voxels per voxel of the maps, `kernel_size` the
    low-pass kernel's in the coarse map, which is coarser by `scale`.
    """

    stage: int
    stride: tuple[int, ...]
    scale: tuple[int, ...]
    kernel_size: tuple[int, ...]
    maps: dict[str, NDArray[np.float32]]
    arrows: NDArray[np.float32] | None

    @property
    def size(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return tuple(self.maps[_LOW].shape)

    @property
    def name(self) -> str:
        """For people: "stage 1, 80 x 80"."""
        return f"stage {self.stage}, {' x '.join(map(str, self.size))}"


@dataclass(frozen=True)
class BorderRow:
    """A quantity's mean at the structures' borders and elsewhere, over so many places; None where there is none."""

    stage: str
    quantity: str
    border: float | None
    elsewhere: float | None
    border_voxels: int
    elsewhere_voxels: int

    @property
    def ratio(self) -> float | None:
        """Border over elsewhere."""
        return self.border / self.elsewhere if self.border is not None and self.elsewhere else None

    @property
    def words(self) -> str:
        """The ratio for people: "8 % narrower at borders", "3.1 times as much at borders"."""
        if min(self.border_voxels, self.elsewhere_voxels) < _FEWEST:
            return f"too few places to compare: {self.border_voxels} and {self.elsewhere_voxels}"
        if self.ratio is None:
            return "nothing elsewhere"
        less, more, much = _WORDS[self.quantity]
        if self.ratio >= _TIMES:
            return f"{self.ratio:.1f} times as {much} at borders"
        per_cent = round(100 * (self.ratio - 1))
        if per_cent == 0:
            return f"as {much} at borders as elsewhere"
        return f"{abs(per_cent)} % {less if per_cent < 0 else more} at borders"


def fused_stages(network: nn.Module) -> dict[int, FreqFusion]:
    """A network's FreqFusions by decoder stage, full resolution (0) first."""
    found: dict[int, FreqFusion] = {}
    for decoder in network.modules():
        if isinstance(decoder, UNetDecoder):
            layers = list(decoder.upsampling)
            found |= {
                stage: layer.fusion for stage, layer in enumerate(layers[::-1]) if isinstance(layer, FusedUpsampling)
            }
    return found


def fusion_maps(network: nn.Module, patch: Tensor) -> list[StageMaps]:
    """What each fused stage does in `patch` (channels, *size), full resolution first.

    The network is in evaluation mode and on the patch's device. Raises `UumambaError` if a number is not finite.
    """
    found: dict[int, StageMaps] = {}
    hooks = [
        fusion.register_forward_hook(partial(_keep, found, stage, tuple(patch.shape[1:])))
        for stage, fusion in fused_stages(network).items()
    ]
    try:
        with torch.inference_mode():
            network(patch[None])
    finally:
        for hook in hooks:
            hook.remove()
    return [found[stage] for stage in sorted(found)]


def kernel_widths(kernels: Tensor, kernel_size: Sequence[int]) -> Tensor:
    """sqrt(sum_t w_t |t|^2) of kernels (batch, groups taps, *size), t from the middle, w the groups' mean: (batch,
    *size)."""
    from_middle = [torch.arange(size, device=kernels.device) - size // 2 for size in kernel_size]
    squares = sum(axis**2 for axis in torch.meshgrid(*from_middle, indexing="ij"))
    weights = unflatten(kernels, 1, (-1, prod(kernel_size))).mean(1)
    moments: Tensor = torch.tensordot(weights, torch.as_tensor(squares).flatten().to(weights), ([1], [0]))
    return moments.sqrt()


def border_rows(maps: StageMaps, labels: NDArray[np.integer]) -> list[BorderRow]:
    """Every quantity's mean over the two kinds of places of `compared_places`."""
    places = compared_places(maps, labels)
    return [
        BorderRow(maps.name, quantity, _mean(values, places[0]), _mean(values, places[1]), *map(_count, places))
        for quantity, values in maps.maps.items()
    ]


def compared_places(maps: StageMaps, labels: NDArray[np.integer]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks (*size) of the places at the borders of `labels` (*patch), and of those elsewhere.

    A place is at a border if one next to it has another label, along axes on which the kernels span more than one
    voxel. What is `UNKNOWN` counts nowhere, nor do places whose kernel is cut by the map's border.
    """
    seen = labels[tuple(slice(step // 2, None, step) for step in maps.stride)]
    border = find_border(seen, [axis for axis, size in enumerate(maps.kernel_size) if size > 1])
    counted = (seen != UNKNOWN) & _whole_kernels(maps)
    return counted & border, counted & ~border


def find_border(labels: NDArray[np.integer], axes: Collection[int]) -> NDArray[np.bool_]:
    """Places with another known label right next to them along one of `axes`."""
    border = np.zeros(labels.shape, bool)
    known = labels != UNKNOWN
    for axis in axes:
        here, there = (
            tuple(part if other == axis else slice(None) for other in range(labels.ndim))
            for part in (slice(None, -1), slice(1, None))
        )
        change = (labels[here] != labels[there]) & known[here] & known[there]
        border[here] |= change
        border[there] |= change
    return border


def _keep(
    found: dict[int, StageMaps],
    stage: int,
    patch_size: tuple[int, ...],
    fusion: nn.Module,
    inputs: tuple[Tensor, Tensor],
    _output: object,
) -> None:
    """A forward hook: what one FreqFusion does is reduced to maps at once, since all of it would be large."""
    if not isinstance(fusion, FreqFusion):
        return
    hr, lr = inputs
    responses = fusion.responses(hr, lr)
    maps = _reduce(fusion, responses, hr, lr)
    if not all(torch.isfinite(values).all() for values in maps.values()):
        raise UumambaError(
            f"FreqFusion of stage {stage}: its numbers are not finite; look for extreme intensities in the image"
        )
    found[stage] = StageMaps(
        stage,
        tuple(whole // size for whole, size in zip(patch_size, hr.shape[2:], strict=True)),
        fusion.scale,
        fusion.low_pass.kernel_size,
        {name: _array(values) for name, values in maps.items()},
        None if responses.offsets is None else _array(responses.offsets.mean(2).flip(1)),
    )


def _reduce(fusion: FreqFusion, responses: Responses, hr: Tensor, lr: Tensor) -> dict[str, Tensor]:
    """The quantities (1, *size) that there are."""
    enlarged = fusion.repeat(lr, hr.shape[2:])
    maps = {
        _LOW: kernel_widths(responses.low_pass_kernels, fusion.low_pass.kernel_size),
        _HIGH: _relative(enlarged - responses.smoothed_lr, enlarged),
    }
    if responses.smoothed_hr is not None:
        maps[_DETAILS] = _relative(hr - responses.smoothed_hr, hr)
    if responses.offsets is not None:
        maps[_OFFSET] = responses.offsets.norm(dim=1).mean(1)
    return maps


def _relative(change: Tensor, whole: Tensor) -> Tensor:
    """Root mean square over the channels, in per cent of the whole map's."""
    scale = whole.square().mean().sqrt().clamp_min(torch.finfo(whole.dtype).tiny)
    return 100 * change.square().mean(1).sqrt() / scale


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values[0].float().cpu().numpy()
    return array


def _whole_kernels(maps: StageMaps) -> NDArray[np.bool_]:
    """Places all of whose taps fall on the coarse map: a cut kernel is narrower whatever is learned."""
    whole = np.ones(maps.size, bool)
    for axis, (size, step, taps) in enumerate(zip(maps.size, maps.scale, maps.kernel_size, strict=True)):
        coarse, low, radius = np.arange(size) // step, -(-size // step), taps // 2
        inside = (coarse >= radius) & (coarse < low - radius)
        whole &= inside.reshape([-1 if other == axis else 1 for other in range(len(maps.size))])
    return whole


def _mean(values: NDArray[np.float32], places: NDArray[np.bool_]) -> float | None:
    return float(values[places].mean(dtype=np.float64)) if places.any() else None


def _count(places: NDArray[np.bool_]) -> int:
    return int(places.sum())
