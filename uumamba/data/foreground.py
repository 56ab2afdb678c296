"""Where the structures lie, so that training can draw patches from them."""

import numpy as np

from uumamba.core.seeding import derive_generator

LOCATIONS_PER_STRUCTURE = 10_000


def foreground_locations(
    labels: np.ndarray, *, ignore: int | None = None, limit: int = LOCATIONS_PER_STRUCTURE
) -> dict[int, np.ndarray]:
    """Voxels of each structure in `labels` (1, *3D) integer: number -> (n, 3) int32 indices on the spatial axes.

    At most `limit` voxels per structure, drawn without replacement, the same at every call, in scan order. Background
    (<= 0) and `ignore` are left out; a structure that is absent has no entry.
    """
    flat = labels.reshape(-1)
    places = np.flatnonzero(flat > 0)
    numbers = flat[places]
    found = {}
    for number in np.unique(numbers).tolist():
        if number == ignore:
            continue
        own = places[numbers == number]
        if len(own) > limit:
            own = np.sort(derive_generator(len(own), "foreground", number).choice(own, limit, replace=False))
        found[number] = np.stack(np.unravel_index(own, labels.shape[1:]), axis=1).astype(np.int32)
    return found
