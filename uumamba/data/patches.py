"""Where a patch lies in its case, and how it is cut out, turned and scaled in one go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import ConfigError
from uumamba.data.foreground import ANNOTATED

Box: TypeAlias = tuple[int, int, int]
Reader: TypeAlias = Callable[[Box, Box], tuple[Tensor, Tensor]]


def draw_voxel(foreground: Mapping[int, NDArray[np.integer[Any]]], random: np.random.Generator) -> Box | None:
    """A foreground voxel: of the classes present any with equal chance, then any of its voxels; None without any.

    Where there is no class, but voxels are known that are not ignored, it is one of these.
    """
    classes = sorted(number for number, places in foreground.items() if len(places) > 0 and number != ANNOTATED)
    if not classes:
        return draw_annotated(foreground, random)
    return _draw_from(foreground[classes[random.integers(len(classes))]], random)


def draw_annotated(foreground: Mapping[int, NDArray[np.integer[Any]]], random: np.random.Generator) -> Box | None:
    """Any voxel that is not ignored, as nnU-Net draws them where there is an ignore label; None where none is known."""
    places = foreground.get(ANNOTATED, ())
    return _draw_from(np.asarray(places), random) if len(places) else None


def _draw_from(places: NDArray[np.integer[Any]], random: np.random.Generator) -> Box:
    z, y, x = (int(part) for part in places[random.integers(len(places))])
    return z, y, x


def draw_lower(shape: Box, size: Box, random: np.random.Generator, voxel: Box | None = None) -> Box:
    """The lower corner of a patch of `size` in an array of `shape`, in voxels.

    Every place inside the array is alike, or, with `voxel`, the one that brings it nearest to the patch's middle. Along
    an axis where the array is smaller than the patch, it lies in the middle of the patch.
    """

    def along(axis: int) -> int:
        """The corner along one axis."""
        room = shape[axis] - size[axis]
        if room < 0:
            return -(-room // 2)
        if voxel is None:
            return int(random.integers(room + 1))
        return min(max(voxel[axis] - size[axis] // 2, 0), room)

    return along(0), along(1), along(2)


def keep_in_view(lower: Box, size: Box, voxel: Box, matrix: NDArray[np.float64]) -> Box:
    """The lower corner of a patch that still shows `voxel` when `matrix` turns and scales it, as in `cut_patch`.

    A patch at the array's border has its voxel off its middle, from where a rotation can take it out of sight. The
    patch then moves towards the voxel, as far as it must and beyond the array if need be.
    """
    first = 3 - len(matrix)
    half = (np.array(size[first:]) - 1) / 2
    place, corner = np.array(voxel[first:]), np.array(lower[first:])
    away = place - half - corner
    back = np.linalg.inv(matrix)
    steps = max(1, int(np.abs(away).max()))
    for step in range(steps + 1):
        moved = corner if step == 0 else np.rint(place - half - away * (1 - step / steps)).astype(int)
        if (np.abs(back @ (place - half - moved)) <= half).all():
            break
    return _box([*lower[:first], *moved])


def cut_patch(
    read: Reader, shape: Box, lower: Box, size: Box, matrix: NDArray[np.float64] | None = None
) -> tuple[Tensor, Tensor]:
    """The patch at `lower`, turned and scaled about its middle by `matrix`.

    `read(lower, upper)` gives image float32 (channel, z, y, x) and labels int16 (1, z, y, x) of a box, padded beyond
    the array. `matrix` (2, 2) or (3, 3) takes offsets from the middle of the patch, in voxels along the last axes, to
    offsets in the case; None is the identity. Just the box that the patch needs is read, so its corners are real data
    wherever the array reaches (nnU-Net reads a fixed enlarged box, which rotations and large scales still leave).

    Image: (bi-, tri-)linear. Labels: each label's mask linearly, then the largest share wins, the lowest label on a tie
    (as nnU-Net does; smoother borders than the nearest voxel's label), so no label appears that was not in the box.
    """
    if matrix is None:
        return read(lower, (lower[0] + size[0], lower[1] + size[1], lower[2] + size[2]))
    moved = len(matrix)
    first = 3 - moved
    half = (np.array(size[first:]) - 1) / 2
    middle = np.array(lower[first:]) + half
    reach = np.abs(matrix) @ half
    # One voxel of padding around the array stands for all that lies beyond it.
    low = np.clip(np.floor(middle - reach), -1, np.array(shape[first:])).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, low + 1, np.array(shape[first:]) + 1).astype(int)
    kept = range(first)
    image, labels = read(
        _box([*(lower[axis] for axis in kept), *low]), _box([*(lower[axis] + size[axis] for axis in kept), *high])
    )
    grid = _sampling_grid(matrix, middle - low, size[first:], tuple(int(part) for part in high - low))
    channels = image.shape[: 1 + first]
    turned = _resample(image.flatten(0, first), grid).reshape(*channels, *size[first:])
    return turned, _resample_labels(labels.flatten(0, first), grid).reshape(1, *size)


def _box(values: Sequence[int]) -> Box:
    z, y, x = (int(value) for value in values)
    return z, y, x


def _sampling_grid(
    matrix: NDArray[np.float64], middle: NDArray[np.float64], size: Sequence[int], box: Sequence[int]
) -> Tensor:
    """`grid_sample`'s grid (1, *size, axes), last axis first; the patch's middle lies at `middle` in the box read."""
    axes = len(size)
    spans = (torch.arange(length, dtype=torch.float32) - (length - 1) / 2 for length in size)
    offsets = torch.meshgrid(*spans, indexing="ij")
    grid = torch.empty((1, *size, axes), dtype=torch.float32)
    for row in range(axes):
        scale = 2.0 / box[row]
        position = sum(
            (float(matrix[row, axis]) * scale * offsets[axis] for axis in range(axes)),
            start=torch.tensor((float(middle[row]) + 0.5) * scale - 1.0),
        )
        grid[..., axes - 1 - row] = position
    return grid


def _resample(channels: Tensor, grid: Tensor) -> Tensor:
    """Linear interpolation of float32 (channel, *box) at the grid's places."""
    sampled: Tensor = functional.grid_sample(
        channels[None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[0]


def _resample_labels(labels: Tensor, grid: Tensor) -> Tensor:
    """The label with the largest linear share at the grid's places, int16; one label at a time to spare memory."""
    present = np.flatnonzero(np.bincount(labels.numpy().ravel() + 1)) - 1
    shape = (labels.shape[0], *grid.shape[1:-1])
    winner = torch.full(shape, int(present[0]), dtype=labels.dtype)
    if len(present) == 1:
        return winner
    best = _resample((labels == int(present[0])).float(), grid)
    for number in present[1:]:
        share = _resample((labels == int(number)).float(), grid)
        larger = share > best
        winner.masked_fill_(larger, int(number))
        best = torch.maximum(best, share)
    return winner


@dataclass(frozen=True)
class RandomAffine:
    """Rotation and scaling of patches about their middle.

    `in_plane` leaves the first of three axes as it is ("dummy 2D" of nnU-Net, for slices much thicker than pixels).
    Rotations are within +- `rotation_degrees` about each axis. The scale, one for all axes, multiplies distances in the
    case: more than 1 shows more of it, with smaller structures. Voxels are turned, not millimetres, as nnU-Net does.
    """

    spatial_dims: int
    in_plane: bool
    rotation_probability: float
    rotation_degrees: float
    scaling_probability: float
    scaling: tuple[float, float]

    def draw(self, random: np.random.Generator) -> NDArray[np.float64] | None:
        """A matrix for `cut_patch`, (2, 2) or (3, 3), or None where nothing is to be done."""
        rotate = random.random() < self.rotation_probability
        scale = random.random() < self.scaling_probability
        if not rotate and not scale:
            return None
        planar = self.spatial_dims == 2 or self.in_plane
        limit = np.deg2rad(self.rotation_degrees) if rotate else 0.0
        angles = random.uniform(-limit, limit, size=1 if planar else 3)
        factor = random.uniform(*self.scaling) if scale else 1.0
        if planar:
            return factor * _plane_rotation(angles[0], 2, 0, 1)
        about_first, about_second = _plane_rotation(angles[0], 3, 1, 2), _plane_rotation(angles[1], 3, 2, 0)
        return factor * _plane_rotation(angles[2], 3, 0, 1) @ about_second @ about_first


def _plane_rotation(angle: float, dims: int, first: int, second: int) -> NDArray[np.float64]:
    """Rotation by `angle` (radians) from axis `first` towards axis `second`."""
    matrix = np.eye(dims)
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def target_strides(strides: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Strides of the deep-supervision targets against the patch, full resolution first.

    `strides` are the plan's, one per encoder stage; the decoder has an output for each stage but the last.
    """
    totals = np.cumprod(np.array(strides), axis=0)[: max(len(strides) - 1, 1)]
    return tuple(tuple(int(step) for step in level) for level in totals)


def downsample_labels(labels: Tensor, strides: Sequence[Sequence[int]]) -> list[Tensor]:
    """Labels (1, *patch) at each level: of every stride-sized block the voxel at its middle (nearest neighbour).

    Raises `ConfigError` if a level's stride does not divide the patch.
    """
    patch = tuple(labels.shape[1:])
    if any(size % step for level in strides for size, step in zip(patch, level, strict=True)):
        raise ConfigError(
            f"patch size {patch} must be divisible by the target strides {[tuple(s) for s in strides]}; change it"
        )
    levels = ((slice(None), *(slice(step // 2, None, step) for step in level)) for level in strides)
    return [labels[level].contiguous() for level in levels]
