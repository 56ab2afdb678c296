"""Connected components of the structures in a label map, removed or filled in place.

A label map here is uint8 (x, y, z): a whole one, or a view of a box of it that holds every voxel of the structures in
question (with a margin of one voxel for `remove_detached`), which gives the same and takes less. Voxels of one
component meet at a face, an edge or a corner. A step needs a byte or two and one int32 for each voxel of the box.
"""

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LabelMap = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Components = NDArray[np.signedinteger]

_ANY_NEIGHBOUR = ndimage.generate_binary_structure(3, 3)
_SLAB_VOXELS = 1 << 21
"""Look-ups make an eight-byte index for every voxel: that many at a time."""


def keep_largest(labels: LabelMap, numbers: Collection[int], *, count: int = 1) -> None:
    """Make background of all but the `count` largest components of these structures, taken together as one.

    Those of the same size as the last one kept are kept too, so that no order among the voxels decides.
    """
    mask = _mask(labels, numbers)
    components, sizes = _components(mask)
    if len(sizes) > count:
        _remove(labels, mask, components, sizes < np.partition(sizes, -count)[-count])


def remove_small(labels: LabelMap, number: int, *, voxels: float) -> None:
    """Make background of this structure's components of fewer than `voxels` voxels."""
    mask = labels == number
    components, sizes = _components(mask)
    _remove(labels, mask, components, sizes < voxels)


def remove_detached(labels: LabelMap, number: int, anchors: Collection[int]) -> None:
    """Make background of this structure's components that meet no voxel of any of the `anchors`."""
    mask, near = labels == number, _grown(_mask(labels, anchors))
    components, sizes = _components(mask)
    detached = np.ones(len(sizes) + 1, dtype=np.bool_)
    for slab in _slabs(labels):
        detached[components[slab][near[slab]]] = False
    _remove(labels, mask, components, detached[1:])


def fill_holes(labels: LabelMap, number: int, *, slice_axis: int | None = None) -> None:
    """Give this structure the pockets of background that it alone encloses.

    A pocket's voxels meet at faces. It is enclosed if all of its other face neighbours are the structure's, so neither
    another structure nor the image's edge. With `slice_axis` pockets are those of each slice across that axis.
    """
    if not labels.size:
        return
    neighbours = ndimage.generate_binary_structure(3, 1)
    axes = [axis for axis in range(3) if axis != slice_axis]
    if slice_axis is not None:
        neighbours = neighbours & (np.indices((3, 3, 3))[slice_axis] == 1)
    pockets, found = ndimage.label(labels != number, neighbours)
    open_ = np.zeros(found + 1, dtype=np.bool_)
    open_[0] = True
    for axis in axes:
        for edge in (0, -1):
            open_[np.take(pockets, edge, axis=axis)] = True
    for slab in _slabs(labels):
        open_[pockets[slab][labels[slab] != 0]] = True
    for slab in _slabs(labels):
        labels[slab][~open_[pockets[slab]]] = number


def _mask(labels: LabelMap, numbers: Collection[int]) -> Mask:
    wanted = np.zeros(256, dtype=np.bool_)
    wanted[list(numbers)] = True
    mask = np.empty(labels.shape, dtype=np.bool_)
    for slab in _slabs(labels):
        mask[slab] = wanted[labels[slab]]
    return mask


def _components(mask: Mask) -> tuple[Components, NDArray[np.int64]]:
    """The number of each voxel's component, from 1 on, 0 outside the mask; and the components' voxel counts."""
    components, found = ndimage.label(mask, _ANY_NEIGHBOUR)
    sizes = np.zeros(found + 1, dtype=np.int64)
    for slab in _slabs(mask):
        sizes += np.bincount(components[slab][mask[slab]], minlength=found + 1)
    return components, sizes[1:]


def _remove(labels: LabelMap, mask: Mask, components: Components, unwanted: Mask) -> None:
    """Make background of the mask's components that are `unwanted`, a truth value for each from number 1 on."""
    if not unwanted.any():
        return
    gone = np.concatenate([[False], unwanted])
    for slab in _slabs(labels):
        inside = mask[slab]
        kept = labels[slab][inside]
        kept[gone[components[slab][inside]]] = 0
        labels[slab][inside] = kept


def _grown(mask: Mask) -> Mask:
    """The mask and all voxels that meet it at a face, an edge or a corner."""
    grown = mask.copy()
    for axis in range(3):
        line = np.moveaxis(grown, axis, 0)
        before = line.copy()
        line[1:] |= before[:-1]
        line[:-1] |= before[1:]
    return grown


def _slabs(labels: NDArray[np.generic]) -> Iterator[slice]:
    """Slices along the first axis that together cover it, of about `_SLAB_VOXELS` voxels each."""
    thickness = max(1, _SLAB_VOXELS * len(labels) // max(labels.size, 1))
    yield from (slice(start, start + thickness) for start in range(0, len(labels), thickness))
