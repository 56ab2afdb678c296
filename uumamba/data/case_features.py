"""What one case looks like to a network: its grid, its intensities, a coarse picture, and the structures in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uumamba.data.plan import Plan

PICTURE_CELLS = 12
"""Cells along each axis of the coarse picture."""
AXIS_NAMES = ("x", "y", "z")
_VOXELS_ENOUGH = 2_000_000
"""Intensities of a larger image are measured in evenly spread slices: the memory for a sorted copy stays small."""
_SAME_VALUE = 1e-3


@dataclass(frozen=True)
class ChannelFeatures:
    """Intensities of one channel as the network sees them, so normalised and on the network's grid.

    `lowest_share` is the share of voxels that hold the lowest value (air, or a border filled with zeros); `roughness`
    the mean absolute difference of neighbours along the last two network axes. None where there is no such number: a
    constant image has no `skewness`, a single column of voxels no `roughness`. `lowest_hu` is the lowest value of the
    image as it was read, for CT alone; None for other channels, and where only the preprocessed case is at hand.
    """

    name: str
    percentile_01: float
    median: float
    percentile_99: float
    skewness: float | None
    lowest_share: float
    roughness: float | None
    lowest_hu: float | None = None


INTENSITIES = {
    "percentile_01": "1st percentile",
    "median": "median",
    "percentile_99": "99th percentile",
    "skewness": "skewness",
    "lowest_share": "share of voxels at the lowest value",
    "roughness": "mean difference of neighbours",
}
"""The fields of `ChannelFeatures` that are compared with the training cases' ranges, in words."""


@dataclass(frozen=True)
class StructureFeatures:
    """A structure in a label map: its volume, and the borders of the image that it touches ("x-" is the low end of x).

    The borders are those of the box of nonzero voxels, for beyond it nothing was measured. An axis with one voxel has
    none.
    """

    volume_ml: float
    borders: frozenset[str]


@dataclass(frozen=True, eq=False)
class CaseFeatures:
    """What a fingerprint remembers of a case, and compares.

    `spacing_mm` and `size_mm` (spacing times voxels) are the image's own, in the order x, y, z of the plan's image
    axes; `slices` counts voxels along the first network axis. `picture` is that of `picture_of`. `structures` holds
    those that are present; it is None where there is no label map.
    """

    spacing_mm: tuple[float, float, float]
    size_mm: tuple[float, float, float]
    slices: int
    channels: tuple[ChannelFeatures, ...]
    picture: NDArray[np.float32]
    structures: Mapping[str, StructureFeatures] | None = None


def describe_case(
    data: NDArray[np.float32],
    plan: Plan,
    *,
    spacing_mm: Sequence[float],
    shape: Sequence[int],
    lowest: Sequence[float | None] = (),
    structures: Mapping[str, StructureFeatures] | None = None,
) -> CaseFeatures:
    """Features of a preprocessed case: `data` float32 (channel, *network axes).

    `spacing_mm` and `shape` are those of the image before cropping and resampling, in network axis order; `lowest` is
    each channel's lowest value as it was read, empty if it is not known.
    """
    first, second, third = (float(spacing_mm[axis]) for axis in np.argsort(plan.axes))
    along_x, along_y, along_z = (int(shape[axis]) for axis in np.argsort(plan.axes))
    known = tuple(lowest) or (None,) * len(data)
    return CaseFeatures(
        spacing_mm=(first, second, third),
        size_mm=(first * along_x, second * along_y, third * along_z),
        slices=int(shape[0]),
        channels=tuple(
            _channel_features(channel.name, values, value if channel.normalization == "ct" else None)
            for channel, values, value in zip(plan.channels, data, known, strict=True)
        ),
        picture=picture_of(data[0], plan),
        structures=structures,
    )


def picture_of(values: NDArray[np.float32], plan: Plan) -> NDArray[np.float32]:
    """A coarse picture of one channel (*network axes): means over the cells of a box around the image's centre.

    The box has the same length (mm) along all axes, that of the median training image's shortest, so that a turned
    image gives the turned picture. Shape (12, 12, 12); (1, 12, 12), the mean over all slices, for a 2D network. Cells
    beyond the image are 0.
    """
    axes = range(3 - plan.spatial_dims, 3)
    side_mm = min(plan.median_shape[axis] * plan.spacing_mm[axis] for axis in axes)
    picture = values if plan.spatial_dims == 3 else values.mean(axis=0, keepdims=True)
    for axis in axes:
        picture = _cells(picture, axis, side_mm / plan.spacing_mm[axis])
    return picture


def structures_of(
    labels: NDArray[np.integer], plan: Plan, *, spacing_mm: Sequence[float]
) -> dict[str, StructureFeatures]:
    """Volume and borders of each structure that is present; `labels` and `spacing_mm` in network axis order."""
    counts = np.zeros(plan.labels.classes, np.int64)
    for part in labels:  # slice by slice, because counting makes wide copies
        known = part[(part >= 0) & (part < plan.labels.classes)]
        counts += np.bincount(known, minlength=plan.labels.classes)
    touching: dict[str, set[int]] = {}
    for axis in range(3):
        if labels.shape[axis] > 1:
            for end, index in (("-", 0), ("+", -1)):
                face = np.unique(labels.take(index, axis=axis)).tolist()
                touching[f"{AXIS_NAMES[plan.axes[axis]]}{end}"] = set(face)
    voxel_ml = float(np.prod(spacing_mm)) / 1000
    return {
        name: StructureFeatures(
            float(counts[list(numbers)].sum() * voxel_ml),
            frozenset(face for face, found in touching.items() if not found.isdisjoint(numbers)),
        )
        for name, numbers in plan.labels.members.items()
        if counts[list(numbers)].any()
    }


def _channel_features(name: str, values: NDArray[np.float32], lowest_hu: float | None) -> ChannelFeatures:
    seen = values[:: max(1, -(-values.size // _VOXELS_ENOUGH))]
    percentile_01, median, percentile_99 = (float(value) for value in np.percentile(seen, (1, 50, 99)))
    steps = [np.abs(np.diff(seen, axis=axis)).mean(dtype=np.float64) for axis in (1, 2) if seen.shape[axis] > 1]
    return ChannelFeatures(
        name=name,
        percentile_01=percentile_01,
        median=median,
        percentile_99=percentile_99,
        skewness=_skewness(seen),
        lowest_share=float((seen <= seen.min() + _SAME_VALUE).mean()),
        roughness=float(np.mean(steps)) if steps else None,
        lowest_hu=lowest_hu,
    )


def _skewness(values: NDArray[np.float32]) -> float | None:
    """Third standardised moment; None if the values do not differ."""
    centred = values - values.mean(dtype=np.float64)
    spread = float(np.sqrt(np.mean(centred**2)))
    return float(np.mean((centred / spread) ** 3)) if spread > _SAME_VALUE else None


def _cells(values: NDArray[np.float32], axis: int, length: float) -> NDArray[np.float32]:
    """Means of `PICTURE_CELLS` cells along `axis`, which share `length` voxels around the middle."""
    size = values.shape[axis]
    edges = np.rint(size / 2 + (np.arange(PICTURE_CELLS + 1) / PICTURE_CELLS - 0.5) * length).astype(int)
    cells = np.zeros((*values.shape[:axis], PICTURE_CELLS, *values.shape[axis + 1 :]), np.float32)
    for number, low in enumerate(edges[:-1].tolist()):
        high = max(low + 1, int(edges[number + 1]))
        if high > 0 and low < size:
            part = values[(slice(None),) * axis + (slice(max(low, 0), min(high, size)),)]
            cells[(slice(None),) * axis + (number,)] = part.mean(axis=axis)
    return cells
