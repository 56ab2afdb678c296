"""Connected components by flood fill, one voxel after the other: the slow truth."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Voxel = tuple[int, ...]

ANY = tuple(step for step in product((-1, 0, 1), repeat=3) if any(step))
FACES = tuple(step for step in ANY if sum(map(abs, step)) == 1)


def neighbours(voxel: Voxel, shape: tuple[int, ...], steps: tuple[Voxel, ...]) -> Iterator[Voxel]:
    """The voxels beside this one that lie in the image."""
    for step in steps:
        other = tuple(a + b for a, b in zip(voxel, step, strict=True))
        if all(0 <= place < size for place, size in zip(other, shape, strict=True)):
            yield other


def flood(mask: NDArray[np.bool_], steps: tuple[Voxel, ...] = ANY) -> list[set[Voxel]]:
    """The components of a mask as sets of voxels."""
    left = {tuple(voxel) for voxel in np.argwhere(mask).tolist()}
    found = []
    while left:
        component, waiting = set(), [left.pop()]
        while waiting:
            voxel = waiting.pop()
            component.add(voxel)
            for other in neighbours(voxel, mask.shape, steps):
                if other in left:
                    left.remove(other)
                    waiting.append(other)
        found.append(component)
    return found


def without(labels: NDArray[np.uint8], gone: list[set[Voxel]]) -> NDArray[np.uint8]:
    """A copy in which these voxels are background."""
    changed = labels.copy()
    for voxel in set().union(*gone):
        changed[voxel] = 0
    return changed


def largest(labels: NDArray[np.uint8], numbers: list[int], count: int) -> NDArray[np.uint8]:
    """What `keep_largest` must give."""
    components = flood(np.isin(labels, numbers))
    sizes = sorted(map(len, components), reverse=True)
    limit = sizes[min(count, len(sizes)) - 1] if sizes else 0
    return without(labels, [each for each in components if len(each) < limit])


def large(labels: NDArray[np.uint8], number: int, voxels: float) -> NDArray[np.uint8]:
    """What `remove_small` must give."""
    return without(labels, [each for each in flood(labels == number) if len(each) < voxels])


def attached(labels: NDArray[np.uint8], number: int, anchors: list[int]) -> NDArray[np.uint8]:
    """What `remove_detached` must give."""
    return without(
        labels,
        [
            each
            for each in flood(labels == number)
            if not any(labels[other] in anchors for voxel in each for other in neighbours(voxel, labels.shape, ANY))
        ],
    )


def filled(labels: NDArray[np.uint8], number: int, slice_axis: int | None) -> NDArray[np.uint8]:
    """What `fill_holes` must give."""
    steps = tuple(step for step in FACES if slice_axis is None or not step[slice_axis])

    def encloses(pocket: set[Voxel]) -> bool:
        around = [list(neighbours(voxel, labels.shape, steps)) for voxel in pocket]
        inside = all(len(each) == len(steps) for each in around)
        return inside and all(labels[other] == number for each in around for other in each if other not in pocket)

    changed = labels.copy()
    for pocket in flood(labels == 0, steps):
        if encloses(pocket):
            for voxel in pocket:
                changed[voxel] = number
    return changed


TRUTHS: tuple[tuple[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]], ...] = (
    ("largest", lambda labels: largest(labels, [1], 1)),
    ("two largest", lambda labels: largest(labels, [2], 2)),
    ("largest together", lambda labels: largest(labels, [1, 3], 1)),
    ("large", lambda labels: large(labels, 1, 3)),
    ("attached", lambda labels: attached(labels, 1, [2])),
    ("attached to either", lambda labels: attached(labels, 3, [1, 2])),
    ("filled", lambda labels: filled(labels, 2, None)),
    ("filled in slices", lambda labels: filled(labels, 1, 2)),
)
"""What each of the steps in `test_components.py` must give, by the same name."""
