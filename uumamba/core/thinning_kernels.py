"""Thinning as loops that numba compiles: voxel by voxel, none removed that would change the topology.

A place in a 3 x 3 x 3 neighbourhood is a bit from 0 to 26, 9 x + 3 y + z with x, y, z in 0, 1, 2; the centre is 13.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uumamba.core.compiled import compiled

WHAT = "thinning"
CENTRE = 13
Bits = NDArray[np.int64]


def _bits_within(largest_distance: int) -> Bits:
    """For each place, the bits of the places at most so many axis steps away, itself and the centre left out.

    Steps along different axes count each: a face neighbour is 1 away, an edge neighbour 2, a corner neighbour 3. For 3
    that is all 26 neighbours, since no axis may differ by more than 1.
    """
    corners = np.array(list(np.ndindex(3, 3, 3)))
    apart = np.abs(corners[:, None] - corners)
    near = (apart.max(-1) == 1) & (apart.sum(-1) <= largest_distance)
    near[:, CENTRE] = False
    return np.asarray((near * (1 << np.arange(27, dtype=np.int64))).sum(-1), dtype=np.int64)


TOUCHING = _bits_within(3)
"""26-neighbours, through which voxels hang together."""
SHARING = _bits_within(1)
"""6-neighbours, through which the outside hangs together."""
FACES, NEAR = int(SHARING[CENTRE]), int(_bits_within(2)[CENTRE])
"""The centre's face neighbours, and its face and edge neighbours."""
FACE_OF_AXIS = ((4, 22), (10, 16), (12, 14))
"""The two face neighbours along each axis."""


@compiled(WHAT)
def _flood(start: int, allowed: int, neighbours: Bits) -> int:
    """The places of `allowed` that `start`, some of them, reaches through `neighbours`."""
    reached = start
    while True:
        grown = reached
        for place in range(27):
            if (reached >> place) & 1:
                grown |= neighbours[place]
        grown &= allowed
        if grown == reached:
            return reached
        reached = grown


@compiled(WHAT)
def _simple(voxels: NDArray[np.uint8], place: int, steps: Bits, touching: Bits, sharing: Bits, fewest: int) -> bool:
    """Whether a border voxel is simple (Bertrand and Malandain, 1994) and has so many neighbours at least.

    Simple: its 26 neighbours hang together without it, and so does the outside that it touches by a face, within the
    18 nearest. Then components, tunnels and cavities are the same without it.
    """
    around = neighbours = 0
    for bit in range(27):
        if bit != 13 and voxels[place + steps[bit]]:
            around |= 1 << bit
            neighbours += 1
    if neighbours < fewest:
        return False
    if _flood(around & -around, around, touching) != around:
        return False
    outside = ~around & NEAR
    open_faces = outside & FACES
    return open_faces & ~_flood(open_faces & -open_faces, outside, sharing) == 0


@compiled(WHAT)
def peel(voxels: NDArray[np.uint8], inside: Bits, steps: Bits, faces: Bits, tables: Any) -> None:
    """Thin `voxels`, flat and with an empty margin, in place, until nothing can be removed.

    `inside` are the places of its voxels, `steps` the way from a place to each of its 27 neighbours, `faces` the
    neighbours from whose side layers are peeled, one after the other; `tables` are `TOUCHING` and `SHARING`. A layer is
    peeled in the order of `inside`. What its voxels look like is asked again before each removal: two that may each go
    may not go together.
    """
    touching, sharing = tables
    left, changed = inside.size, True
    layer = np.empty(left, np.int64)
    while changed:
        changed = False
        for face in faces:
            found = 0
            for index in range(left):
                place = inside[index]
                if not voxels[place + steps[face]] and _simple(voxels, place, steps, touching, sharing, 2):
                    layer[found] = place
                    found += 1
            for index in range(found):
                if _simple(voxels, layer[index], steps, touching, sharing, 1):
                    voxels[layer[index]] = 0
                    changed = True
            kept = 0
            for index in range(left):
                if voxels[inside[index]]:
                    inside[kept] = inside[index]
                    kept += 1
            left = kept
