"""Where the structures lie, so that training can draw patches from them."""

from collections.abc import Iterator, Sequence

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
    is not ignored.
    """
    flat = labels.reshape(-1)
    found = {}
    for number, own in _places(flat, ignore, regions):
        if len(own) > limit:
            own = np.sort(derive_generator(len(own), "foreground", number).choice(own, limit, replace=False))
        if len(own):
            found[number] = np.stack(np.unravel_index(own, labels.shape[1:]), axis=1).astype(np.int32)
    return found


def _places(
    flat: np.ndarray, ignore: int | None, regions: Sequence[Sequence[int]] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Number and flat indices of everything that is kept."""
    places = np.flatnonzero(flat > 0)
    numbers = flat[places]
    if regions is not None:
        yield from ((place, places[mask_of(numbers, region)]) for place, region in enumerate(regions, 1))
    else:
        present = (number for number in np.unique(numbers).tolist() if number != ignore)
        yield from ((number, places[numbers == number]) for number in present)
    if ignore is not None:
        yield ANNOTATED, np.flatnonzero(flat != ignore)
