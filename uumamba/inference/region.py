"""Where in an image to look: the box around what a coarse network finds in the whole of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from uumamba.data.coarse import FOREGROUND, Bounds, average, averaging_bytes, coarse_shape
from uumamba.data.plan import Plan
from uumamba.inference.bundle import Bundle, build_network
from uumamba.inference.prediction import Flag
from uumamba.inference.roi import RoiDescription
from uumamba.inference.sliding_window import predict_logits, stitching_bytes

_FLOAT32 = 4
_ANY_NEIGHBOUR = ndimage.generate_binary_structure(3, 3)
_MASK_BYTES = 3 * _FLOAT32
"""Of each coarse voxel: the mask, its components, and the largest of them."""

NOT_FOUND = Flag("roi", "the coarse network found no region of interest, so the whole image was segmented")


@dataclass(frozen=True)
class Region:
    """A box on the network's grid (network axis order); the whole image if none was looked for, or none `found`."""

    bounds: Bounds
    found: bool

    @property
    def inside(self) -> tuple[slice, slice, slice]:
        """The box as an index of the network axes."""
        first, second, third = (slice(*bounds) for bounds in self.bounds)
        return first, second, third


class RegionFinder:
    """A coarse network in evaluation mode on its device."""

    def __init__(self, network: nn.Module, description: RoiDescription, device: torch.device) -> None:
        self.network, self.description, self.device = network.to(device), description, device

    def find(self, data: NDArray[np.float32], spacing_mm: Sequence[float]) -> Bounds | None:
        """The box around what is found, with its margin; None if nothing is.

        `data` is a preprocessed image, float32 (channel, *network axes), on its network's own grid of `spacing_mm`.
        """
        shape, plan = data.shape[1:], self.description.plan
        coarse = average(data, coarse_shape(shape, spacing_mm, plan.spacing_mm))
        logits = predict_logits(self.network, torch.from_numpy(coarse), patch_size=plan.patch_size, device=self.device)
        found = bounds_of(_mask(logits), smallest_share=self.description.smallest_share)
        if found is None:
            return None
        return _widened(found, coarse.shape[1:], shape, spacing_mm, self.description.margin_mm)


def finder_of(bundle: Bundle, device: torch.device) -> RegionFinder | None:
    """The bundle's coarse network; None if it has none."""
    roi, coarse = bundle.description.roi, bundle.coarse
    return None if roi is None or coarse is None else RegionFinder(build_network(coarse), roi, device)


def search(
    finders: Sequence[RegionFinder],
    data: NDArray[np.float32],
    spacing_mm: Sequence[float],
    *,
    patch_size: Sequence[int],
) -> Region:
    """The box that holds what any of the finders finds; `data` and `spacing_mm` as in `RegionFinder.find`.

    It is no smaller than `patch_size` (2 or 3 axes) where the image is not, so that the network sees the image and not
    the zeros around a cut. Without finders it is the whole image.
    """
    shape = data.shape[1:]
    boxes = [box for finder in finders if (box := finder.find(data, spacing_mm)) is not None]
    if not boxes:
        return Region(((0, shape[0]), (0, shape[1]), (0, shape[2])), found=False)
    least = (1, *patch_size)[-3:]
    first, second, third = (
        _at_least(min(start for start, _ in along), max(stop for _, stop in along), length, size)
        for along, length, size in zip(zip(*boxes, strict=True), least, shape, strict=True)
    )
    return Region((first, second, third), found=True)


def bounds_of(mask: NDArray[np.bool_], *, smallest_share: float = 0.0) -> Bounds | None:
    """The box of a mask's components that have at least `smallest_share` of the largest one's voxels; None of none.

    Voxels of one component meet at a face, an edge or a corner.
    """
    components, count = ndimage.label(mask, _ANY_NEIGHBOUR)
    if not count:
        return None
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(components)
    large = [box for box, size in zip(boxes, sizes, strict=True) if size >= smallest_share * sizes.max()]
    first, second, third = (
        (min(part.start for part in along), max(part.stop for part in along)) for along in zip(*large, strict=True)
    )
    return first, second, third


def region_flags(
    region: Region, labels: NDArray[np.integer], open_ends: Sequence[tuple[bool, bool]]
) -> tuple[Flag, ...]:
    """Whether nothing was found, or whether a label map of the region, (*axes), ends where only the region does.

    `open_ends` says for both ends of each axis whether the image goes on there.
    """
    if not region.found:
        return (NOT_FOUND,)
    faces = [
        (axis, end)
        for axis, ends in enumerate(open_ends)
        for end, is_open in zip((0, -1), ends, strict=True)
        if is_open
    ]
    if any(np.any(labels.take(end, axis=axis)) for axis, end in faces):
        sentence = "the label map reaches the border of the region of interest and may go on beyond it"
        return (Flag("roi", f"{sentence}; look at it there"),)
    return ()


def searching_bytes(shape: Sequence[int], spacing_mm: Sequence[float], plan: Plan) -> int:
    """The most memory that `RegionFinder.find` takes besides its data, (*shape), and its network's forward pass."""
    coarse = coarse_shape(shape, spacing_mm, plan.spacing_mm)
    classes, voxels = plan.labels.classes, int(np.prod(coarse))
    averaging = averaging_bytes(len(plan.channels), shape, coarse)
    # All scores, the window sums that they come from, and two copies of a window's answer.
    scores = _FLOAT32 * classes * (2 * voxels + 2 * int(np.prod(plan.patch_size)))
    return averaging + scores + stitching_bytes(classes, coarse, plan.patch_size) + _MASK_BYTES * voxels


def _mask(logits: Tensor) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = (logits.argmax(0) == FOREGROUND).cpu().numpy()
    return mask


def _widened(
    found: Bounds, coarse: Sequence[int], shape: Sequence[int], spacing_mm: Sequence[float], margin_mm: float
) -> Bounds:
    """A box of the coarse grid on the fine one over the same image, with a margin, within the image."""
    first, second, third = (
        (
            max(0, int(np.floor(start / old * new - margin_mm / step))),
            min(new, int(np.ceil(stop / old * new + margin_mm / step))),
        )
        for (start, stop), old, new, step in zip(found, coarse, shape, spacing_mm, strict=True)
    )
    return first, second, third


def _at_least(start: int, stop: int, length: int, size: int) -> tuple[int, int]:
    """A range of at least `length` voxels around another, within `size`; all of it where there are not so many."""
    missing = max(0, min(length, size) - (stop - start))
    begin = min(max(0, start - missing // 2), size - (stop - start) - missing)
    return begin, begin + (stop - start) + missing
