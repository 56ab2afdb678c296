"""Which vessel a place in the lumen belongs to."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from uumamba.measures.curve import FloatArray

FOREIGN_SHARE = 0.01
"""Of a section's area that may belong to another vessel: more would show in its maximal diameter."""


class Territory:
    """The centrelines of a lumen with their radii; a place belongs to the ball that it lies deepest in.

    Depth is the power distance d^2 - r^2, so that a thin vessel does not own the wall of the thick one it leaves. A
    piece of the same vessel is another one from `_FAR_RADII` radii along the centreline on: the next turn of a spiral.
    """

    _FAR_RADII = 4.0

    def __init__(
        self, points_mm: Sequence[FloatArray], along_mm: Sequence[FloatArray], radii_mm: Sequence[FloatArray]
    ) -> None:
        radii = np.concatenate(radii_mm)
        self._largest = float(radii.max())
        self._tree = cKDTree(self._lifted(np.concatenate(points_mm), radii))
        self._owner = np.repeat(np.arange(len(points_mm)), [len(points) for points in points_mm])
        self._along = np.concatenate(along_mm)
        self._radii = radii

    def foreign_share(self, places_mm: FloatArray, owner: int, along_mm: float, *, length_mm: float | None) -> float:
        """The share of places (n, 3) not of vessel `owner` around a place on it; `length_mm` if it is closed."""
        _, nearest = self._tree.query(self._lifted(places_mm, np.full(len(places_mm), self._largest)))
        apart = np.abs(self._along[nearest] - along_mm)
        if length_mm is not None:
            apart = np.minimum(apart, length_mm - apart)
        far = apart > self._FAR_RADII * self._radii[nearest]
        return float(((self._owner[nearest] != owner) | far).mean())

    def _lifted(self, places: FloatArray, radii: FloatArray) -> FloatArray:
        """Places in four dimensions, in which the nearest one has the smallest power distance."""
        return np.column_stack([places, np.sqrt(np.maximum(self._largest**2 - radii**2, 0))])
