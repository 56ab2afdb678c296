"""nnU-Net's rule that finds a U-Net's topology from patch size and spacing."""

import math
from collections.abc import Sequence

from uumamba.core.errors import ConfigError
from uumamba.core.topology import Topology

_MIN_FEATURE_MAP = 4


def plan_topology(
    patch_size: Sequence[int],
    spacing_mm: Sequence[float],
    *,
    base_features: int,
    max_features: int,
    max_stages: int | None = None,
    blocks: int = 2,
) -> Topology:
    """The topology that nnU-Net 2 plans for a patch (voxels) and a spacing (mm), both in network axis order.

    Axes within a factor 2 of the finest spacing are halved together while the feature map keeps 4 voxels (Isensee et
    al., Nature Methods 2021, supplement; nnU-Net's `get_pool_and_conv_props`). Features are `min(base 2^i, max)`.
    `max_stages` stops earlier, for small networks. Where nnU-Net pads the patch, this raises `ConfigError` that names
    the nearest sizes that fit.
    """
    if len(patch_size) != len(spacing_mm) or len(patch_size) not in (2, 3):
        raise ConfigError(f"topology: needs 2 or 3 axes of patch size and spacing, got {patch_size} and {spacing_mm}")
    if min(patch_size) < 1 or min(spacing_mm) <= 0:
        raise ConfigError(f"topology: sizes and spacings must be above 0, got {patch_size} voxels, {spacing_mm} mm")
    strides, kernels = _stages(patch_size, spacing_mm, max_stages)
    stages = len(strides)
    if stages < 2:
        raise ConfigError(
            f"topology: patch size {tuple(patch_size)} with max_stages {max_stages} leaves no axis to halve; "
            f"needs 2 stages and {2 * _MIN_FEATURE_MAP} voxels on two axes"
        )
    topology = Topology(
        patch_size=tuple(patch_size),
        features=tuple(min(base_features * 2**stage, max_features) for stage in range(stages)),
        kernels=(*kernels, (3,) * len(patch_size)),
        strides=tuple(strides),
        blocks_encoder=(blocks,) * stages,
        blocks_decoder=(blocks,) * (stages - 1),
    )
    _require_multiple(topology)
    return topology


def fitting_patch(
    size: Sequence[int], spacing_mm: Sequence[float], *, max_stages: int | None = None
) -> tuple[int, ...]:
    """The smallest patch that covers `size` voxels (at least 8 along each axis) and that `plan_topology` takes."""
    patch = [max(length, 2 * _MIN_FEATURE_MAP) for length in size]
    while True:
        strides = _stages(patch, spacing_mm, max_stages)[0]
        steps = [math.prod(axis) for axis in zip(*strides, strict=True)]
        fitting = [math.ceil(length / step) * step for length, step in zip(patch, steps, strict=True)]
        if fitting == patch:
            return tuple(patch)
        patch = fitting


def _stages(
    patch_size: Sequence[int], spacing_mm: Sequence[float], max_stages: int | None
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Strides of all stages, and kernels of all but the last."""
    size, spacing, kernel = list(patch_size), list(spacing_mm), [1] * len(patch_size)
    strides, kernels = [(1,) * len(size)], []
    while max_stages is None or len(strides) < max_stages:
        axes = _axes_to_halve(size, spacing)
        if not axes:
            break
        finest = min(spacing)
        kernel = [3 if k == 3 or s / finest < 2 else 1 for k, s in zip(kernel, spacing, strict=True)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in axes else 1 for axis in range(len(size))))
        size = [math.ceil(n / stride) for n, stride in zip(size, strides[-1], strict=True)]
        spacing = [s * stride for s, stride in zip(spacing, strides[-1], strict=True)]
    return strides, kernels


def _axes_to_halve(size: list[int], spacing: list[float]) -> list[int]:
    """The axes that the next stage halves; empty at the bottleneck."""
    large = [axis for axis, n in enumerate(size) if n >= 2 * _MIN_FEATURE_MAP]
    if not large:
        return []
    finest = min(spacing[axis] for axis in large)
    axes = [axis for axis in large if spacing[axis] / finest < 2]
    return [] if len(axes) == 1 and size[axes[0]] < 3 * _MIN_FEATURE_MAP else axes


def _require_multiple(topology: Topology) -> None:
    """Refuse a patch that is no multiple of the total stride."""
    wrong = [
        f"axis {axis}: {size} is no multiple of {step}, take {size // step * step} or {math.ceil(size / step) * step}"
        for axis, (size, step) in enumerate(zip(topology.patch_size, topology.total_stride, strict=True))
        if size % step
    ]
    if wrong:
        stages = len(topology.strides)
        raise ConfigError(
            f"topology: patch size {topology.patch_size} does not fit {stages} stages: {'; '.join(wrong)}"
        )
