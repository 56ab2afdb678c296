"""Broken vessels: gaps between ends that face each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from uumamba.measures.curve import FloatArray

LARGEST_GAP_MM = 10.0
"""Ends further apart are not taken for one vessel, unless it is wider than that."""
FACING_DEGREES = 45.0


@dataclass(frozen=True, eq=False)
class End:
    """An end of a vessel at `place_mm` (3,), which would go on in the direction of the unit vector `outward`."""

    place_mm: FloatArray
    outward: FloatArray
    diameter_mm: float


@dataclass(frozen=True, eq=False)
class Gap:
    """A break between two ends, given by number and place (3,), and how far these are apart."""

    ends: tuple[int, int]
    places_mm: tuple[FloatArray, FloatArray]
    length_mm: float


def find_gaps(ends: Sequence[End]) -> tuple[Gap, ...]:
    """The breaks among the ends of vessels, the shortest first; each end is part of one at most.

    Two ends face each other if they are at most 10 mm, or a diameter, apart and each points at the other to within 45
    degrees, seen from a diameter further back: the end of a mask may be cut at any angle.
    """
    candidates = []
    farthest = max([LARGEST_GAP_MM, *(end.diameter_mm for end in ends)])
    tree = cKDTree(np.array([end.place_mm for end in ends]).reshape(-1, 3))
    for first, second in sorted(tree.query_pairs(farthest)):
        one, other = ends[first], ends[second]
        apart = float(np.linalg.norm(other.place_mm - one.place_mm))
        if apart <= max(LARGEST_GAP_MM, one.diameter_mm, other.diameter_mm) and _face(one, other):
            candidates.append(Gap((first, second), (one.place_mm, other.place_mm), apart))
    taken: set[int] = set()
    gaps = []
    for gap in sorted(candidates, key=lambda gap: gap.length_mm):
        if not taken & set(gap.ends):
            taken |= set(gap.ends)
            gaps.append(gap)
    return tuple(gaps)


def _face(one: End, other: End) -> bool:
    back, front = (end.place_mm - end.diameter_mm * end.outward for end in (one, other))
    way = front - back
    limit = np.cos(np.radians(FACING_DEGREES)) * float(np.linalg.norm(way))
    return bool(min(one.outward @ way, -other.outward @ way) > limit)
