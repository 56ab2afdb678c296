"""Where the structures lie, so that training can draw patches from them."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from uumamba.core.labels import mask_of
from uumamba.core.seeding import derive_generator

LOCATIONS_PER_STRUCTURE = 10_000
ANNOTATED = 0
"""The number under which voxels that are not ignored are kept, background too, where there is an ignore label."""


def foreground_locations(
    labels: np.ndarray,
    *,
    ignore: int | None = None,
    regions: Sequence[Sequence[int]] | None = None,
    limit: int = LOCATIONS_PER_STRUCTURE,
) -> dict[int, np.ndarray]:
    """Voxels of each structure in `labels` (1, *3D) integer: number -> (n, 3) int32 indices on the spatial axes.

    At most `limit` voxels per structure, drawn without replacement, the same at every call, in scan order. Background
    (<= 0) and `ignore` are left out; a structure that is absent has no entry. The structures are the numbers, or the
    `regions` of several numbers each, which are then counted from 1. With `ignore`, `ANNOTATED` has voxels of all that
    is not ignored. Labels are gone through slice by slice, twice, because places of all foreground voxels would take
    more memory than the labels.
    """
    slices = labels[0]
    counts = count_numbers(slices)
    members = _members(counts, ignore, regions)
    chosen = {key: _draw(key, sum(counts[number] for number in numbers), limit) for key, numbers in members.items()}
    seen = dict.fromkeys(chosen, 0)
    found: dict[int, list[np.ndarray]] = {key: [] for key in chosen}
    for position, part in enumerate(slices):
        flat = part.reshape(-1)
        present = set(np.unique(flat).tolist())
        for key in (key for key, numbers in members.items() if not present.isdisjoint(numbers)):
            own = np.flatnonzero(mask_of(flat, members[key]))
            first, last = np.searchsorted(chosen[key], (seen[key], seen[key] + len(own)))
            taken = own[chosen[key][first:last] - seen[key]]
            found[key].append(np.column_stack((np.full(len(taken), position), *np.divmod(taken, part.shape[1]))))
            seen[key] += len(own)
    return {key: np.concatenate(found[key]).astype(np.int32) for key in chosen}


def count_numbers(slices: np.ndarray) -> Counter[int]:
    """Voxels of each number in labels, slice by slice along the first axis, because sorting makes wide copies."""
    counts: Counter[int] = Counter()
    for part in slices:
        numbers, voxels = np.unique(part, return_counts=True)
        counts.update(dict(zip(numbers.tolist(), voxels.tolist(), strict=True)))
    return counts


def _members(
    present: Collection[int], ignore: int | None, regions: Sequence[Sequence[int]] | None
) -> dict[int, tuple[int, ...]]:
    """What is kept -> its numbers that are there, in ascending order."""
    known = sorted(number for number in present if number != ignore)
    if regions is None:
        members: dict[int, tuple[int, ...]] = {number: (number,) for number in known if number > 0}
    else:
        there = {place: tuple(sorted(set(known) & set(numbers))) for place, numbers in enumerate(regions, 1)}
        members = {place: numbers for place, numbers in there.items() if numbers}
    return members if ignore is None or not known else {ANNOTATED: tuple(known), **members}


def _draw(number: int, count: int, limit: int) -> np.ndarray:
    """Which of a structure's voxels, counted in scan order, are taken: all, or `limit` of them, ascending."""
    if count <= limit:
        return np.arange(count)
    return np.sort(derive_generator(count, "foreground", number).choice(count, limit, replace=False))
