"""From scores on the network's grid back to the image's own grid, slab by slab.

The numbers are those of nnU-Net's `resample_data_or_seg_to_shape` with `order=1, order_z=0` on the whole array (linear,
half-pixel centres, edge values beyond the outermost centres; the nearest slice along a much coarser axis), to float32's
rounding. Linear interpolation is separable, so each axis is done alone, in float32 with weights made in float64, and
each voxel's arithmetic is the same wherever the slabs are cut.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from uumamba.data.nonzero import Crop
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, plan_spacing
from uumamba.data.resampling import coarse_axis, nearest_slices
from uumamba.imaging.orientation import on_canonical_axes

Scores = NDArray[np.float32]
_FLOAT32 = 4


@dataclass(frozen=True)
class _Taps:
    """What each voxel of a new axis takes from the old one: `lower`, or `lower + weight * (upper - lower)`."""

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    weight: NDArray[np.float32] | None


@dataclass(frozen=True)
class Part:
    """A box of the cropped image's voxels, `image`, and the box of the network's grid that holds all they take.

    Both are half-open ranges of voxels per network axis.
    """

    network: Crop
    image: Crop

    @property
    def shape(self) -> tuple[int, int, int]:
        """The size of the box of the network's grid."""
        first, second, third = (stop - start for start, stop in self.network)
        return first, second, third

    def crop(self, geometry: Geometry) -> Geometry:
        """The geometry of the image with all but this part cropped away."""
        bounds = zip(geometry.crop, self.image, strict=True)
        crop = tuple((begin + start, begin + stop) for (begin, _), (start, stop) in bounds)
        return geometry.model_copy(update={"crop": crop})


def part_of(region: Crop, shape: tuple[int, int, int], geometry: Geometry, plan: Plan) -> Part:
    """The part of an image, `shape` on the network's grid, that holds a `region` of that grid (network axis order)."""
    network, image = [], []
    along = zip(region, shape, geometry.shape_after_crop, _all_taps(shape, geometry, plan), strict=True)
    for (start, stop), old, new, taps in along:
        first, last = start * new // old, -(-stop * new // old)
        image.append((first, last))
        network.append(
            (
                min(first * old // new, start, int(taps.lower[first])),
                max(-(-last * old // new), stop, int(taps.upper[last - 1]) + 1),
            )
        )
    return Part((network[0], network[1], network[2]), (image[0], image[1], image[2]))


def restored_slabs(
    slabs: Iterable[Scores],
    shape: tuple[int, int, int],
    geometry: Geometry,
    plan: Plan,
    *,
    part: Part | None = None,
) -> Iterator[Scores]:
    """Scores on the grid of the cropped image from scores on the network's grid, of `shape`.

    `slabs` are float32 (channels, n, *rest) and follow one another along the first network axis; n >= 1 may vary. What
    comes is float32 (channels, m, *rest of `geometry.shape_after_crop`), along the same axis; a slab comes as soon as
    all that it needs is there, and at most two slices are kept until the next. Where the grids are equal the slabs are
    handed on untouched. The result has the same bits however the slabs are cut, and no channel sees another.
    With a `part` of the image, of `shape` as a whole, slabs and result are of that part alone.
    Raises `ValueError` if the slabs do not make up `shape`.
    """
    taps, is_same_grid = _all_taps(shape, geometry, plan), shape == geometry.shape_after_crop
    if part is not None:
        shape, boxes = part.shape, zip(taps, part.network, part.image, strict=True)
        taps = [_within(whole, network, image) for whole, network, image in boxes]
    first, rows, columns = taps
    kept: dict[int, Scores] = {}
    start = done = 0
    for slab in slabs:
        stop = start + slab.shape[1]
        if slab.shape[2:] != shape[1:] or stop > shape[0]:
            raise ValueError(f"a slab of shape {slab.shape} at {start} is no part of scores of shape {shape}")
        if is_same_grid:
            yield slab
        else:
            ready = int(np.searchsorted(first.upper, stop))
            source = _Slices(slab, start, rows, columns, kept)
            if ready > done:
                yield source.between(first, done, ready)
            source.keep_last(first, ready)
            done = ready
        start = stop
        del slab
    if start != shape[0]:
        raise ValueError(f"the slabs end at {start} of {shape[0]}")


def highest_class(scores: Scores) -> NDArray[np.uint8]:
    """The number of the highest of `scores` (classes, ...) at each voxel; ties go to the lower number."""
    best = scores[0].copy()
    winner = np.zeros(best.shape, dtype=np.uint8)
    for number, score in enumerate(scores[1:], start=1):
        np.copyto(winner, np.uint8(number), where=score > best)
        np.maximum(best, score, out=best)
    return winner


def blank_on_image_grid(
    geometry: Geometry, plan: Plan, *, dtype: DTypeLike, fill: float = 0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """An array of `fill` on the image's own axes and grid, and a view of it on the grid of the cropped image.

    The view has network axis order, so that `view[start:stop] = slab` puts restored slabs where they belong.
    """
    canonical = np.take(geometry.shape_before_crop, np.argsort(plan.axes))
    whole = np.full(np.take(canonical, np.argsort(geometry.orientation.axes)), fill, dtype=dtype)
    seen = on_canonical_axes(whole, geometry.orientation).transpose(plan.axes)
    return whole, seen[tuple(slice(*bounds) for bounds in geometry.crop)]


def restoration_bytes(
    channels: int, thickness: int, shape: tuple[int, int, int], geometry: Geometry, plan: Plan
) -> int:
    """The most memory that `restored_slabs` takes for slabs of `thickness`, without the slabs that it is given.

    It counts the slab that the caller still holds while the next is made.
    """
    target = geometry.shape_after_crop
    if shape == target:
        return 0
    first, _, _ = _all_taps(shape, geometry, plan)
    plane = target[1] * target[2]
    ends = np.searchsorted(first.upper, np.arange(thickness, shape[0] + thickness, thickness))
    thickest = np.sort(np.diff(ends, prepend=0))[-2:].sum()
    scratch = 3 * max(plane, shape[1] * target[2], target[1] * shape[2])
    kept = 1 if first.weight is None else 2
    return int(_FLOAT32 * (channels * plane * (thickest + kept) + scratch))


@dataclass
class _Slices:
    """The slices of a slab that begins at `start`, resampled in plane when they are asked for."""

    slab: Scores
    start: int
    rows: _Taps
    columns: _Taps
    kept: dict[int, Scores]

    def between(self, first: _Taps, start: int, stop: int) -> Scores:
        """The new slices `start` to `stop` (channels, stop - start, *rest)."""
        channels, new_rows, new_columns = self.slab.shape[0], len(self.rows.lower), len(self.columns.lower)
        result = np.empty((channels, stop - start, new_rows, new_columns), dtype=np.float32)
        for index in range(start, stop):
            lower, upper, here = int(first.lower[index]), int(first.upper[index]), result[:, index - start]
            for gone in [number for number in self.kept if number < lower]:
                del self.kept[gone]
            if first.weight is None or not first.weight[index]:
                here[...] = self.resampled(lower)
                continue
            below = self.resampled(lower)
            np.subtract(self.resampled(upper), below, out=here)
            here *= first.weight[index]
            here += below
        return result

    def keep_last(self, first: _Taps, ready: int) -> None:
        """Keep, for the next slab, the last slice alone, if new slices from `ready` on need it."""
        last = self.start + self.slab.shape[1] - 1
        needed = ready < len(first.lower) and first.lower[ready] == last
        keep = {last: np.array(self.resampled(last))} if needed else {}
        self.kept.clear()
        self.kept.update(keep)

    def resampled(self, number: int) -> Scores:
        """A slice (channels, *rest), resampled in plane."""
        if number not in self.kept:
            self.kept[number] = _in_plane(self.slab[:, number - self.start], self.rows, self.columns)
        return self.kept[number]


def _in_plane(scores: Scores, rows: _Taps, columns: _Taps) -> Scores:
    """One slice (channels, rows, columns), channel after channel: a slice of one fits a processor's cache."""
    steps = [(columns, 1), (rows, 0)]
    if len(rows.lower) < scores.shape[1]:
        steps.reverse()
    result = np.empty((len(scores), len(rows.lower), len(columns.lower)), dtype=np.float32)
    for channel, values in enumerate(scores):
        for taps, axis in steps:
            values = _along(values, taps, axis)
        result[channel] = values
    return result


def _along(values: Scores, taps: _Taps, axis: int) -> Scores:
    """Resample one slice along an axis; every operation rounds voxel by voxel, so no result depends on its place."""
    lower: Scores = np.take(values, taps.lower, axis=axis, mode="clip")
    if taps.weight is None:
        return lower
    change: Scores = np.take(values, taps.upper, axis=axis, mode="clip")
    change -= lower
    change *= taps.weight if axis else taps.weight[:, None]
    change += lower
    return change


def _all_taps(shape: tuple[int, int, int], geometry: Geometry, plan: Plan) -> list[_Taps]:
    """The taps of the three network axes."""
    coarse = coarse_axis(plan_spacing(geometry, plan), geometry.spacing_mm)
    sizes = zip(shape, geometry.shape_after_crop, strict=True)
    return [_taps(old, new, nearest=axis == coarse) for axis, (old, new) in enumerate(sizes)]


def _within(taps: _Taps, network: tuple[int, int], image: tuple[int, int]) -> _Taps:
    """The taps of the new voxels `image`, into the old voxels `network`."""
    here = slice(*image)
    weight = None if taps.weight is None else taps.weight[here]
    return _Taps(taps.lower[here] - network[0], taps.upper[here] - network[0], weight)


def _taps(old: int, new: int, *, nearest: bool) -> _Taps:
    """Half-pixel centres, as `scipy.ndimage.zoom` has them in grid mode."""
    if nearest:
        lower = nearest_slices(old, new)
        return _Taps(lower, lower, None)
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    lower = np.floor(centres).astype(np.intp)
    weight = (centres - lower).astype(np.float32)
    if not weight.any():
        return _Taps(lower, lower, None)
    return _Taps(lower, np.where(weight > 0, lower + 1, lower), weight)
