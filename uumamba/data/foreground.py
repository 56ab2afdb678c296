"""Where the structures lie, so that training can draw patches from them."""

from collections import Counter

import numpy as np

from uumamba.core.seeding import derive_generator

LOCATIONS_PER_STRUCTURE = 10_000


def present_labels(labels: np.ndarray) -> set[int]:
    """The numbers in a label map (x, y, z), as it lies in memory: slice by slice along the last axis."""
    return {number for part in np.moveaxis(labels, -1, 0) for number in np.unique(part).tolist()}


def foreground_locations(
    labels: np.ndarray, *, ignore: int | None = None, limit: int = LOCATIONS_PER_STRUCTURE
) -> dict[int, np.ndarray]:
    """Voxels of each structure in `labels` (1, *3D) integer: number -> (n, 3) int32 indices on the spatial axes.

    At most `limit` voxels per structure, drawn without replacement, the same at every call, in scan order. Background
    (<= 0) and `ignore` are left out; a structure that is absent has no entry. Labels are gone through slice by slice,
    twice, because places of all foreground voxels would take more memory than the labels.
    """
    slices = labels[0]
    counts = {number: count for number, count in _counts(slices).items() if number != ignore}
    chosen = {number: _draw(number, count, limit) for number, count in counts.items()}
    seen = dict.fromkeys(chosen, 0)
    found: dict[int, list[np.ndarray]] = {number: [] for number in chosen}
    for position, part in enumerate(slices):
        flat = part.reshape(-1)
        places = np.flatnonzero(flat > 0)
        numbers = flat[places]
        for number in np.unique(numbers).tolist():
            if number in chosen:
                own = places[numbers == number]
                first, last = np.searchsorted(chosen[number], (seen[number], seen[number] + len(own)))
                taken = own[chosen[number][first:last] - seen[number]]
                found[number].append(np.column_stack((np.full(len(taken), position), *np.divmod(taken, part.shape[1]))))
                seen[number] += len(own)
    return {number: np.concatenate(found[number]).astype(np.int32) for number in chosen}


def _counts(slices: np.ndarray) -> dict[int, int]:
    """Voxels of each number, in ascending order of the numbers."""
    counts: Counter[int] = Counter()
    for part in slices:
        numbers, voxels = np.unique(part[part > 0], return_counts=True)
        counts.update(dict(zip(numbers.tolist(), voxels.tolist(), strict=True)))
    return dict(sorted(counts.items()))


def _draw(number: int, count: int, limit: int) -> np.ndarray:
    """Which of a structure's voxels, counted in scan order, are taken: all, or `limit` of them, ascending."""
    if count <= limit:
        return np.arange(count)
    return np.sort(derive_generator(count, "foreground", number).choice(count, limit, replace=False))
