"""A connected mask as a space with walls: what lies inside, how far the wall is, its values between voxels.

Positions are in mm on the grid's own axes: a voxel's index times the spacing. The mask's box is cut out with a border
of background around it, so that nothing is as large as the image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
_PAD = 3
_THICK_STEPS = 2


class Lumen:
    """One connected part of a mask: `mask` (x, y, z) is its box, `corner` the box's first voxel in the image.

    `solid` is the mask without what makes a skeleton wrap round nothing: cavities that are closed all round are filled,
    and, in vessels of five voxels across and more, holes of one or two voxels through the wall.
    """

    def __init__(self, mask: NDArray[np.bool_], spacing_mm: Sequence[float], corner: Sequence[int] = (0, 0, 0)) -> None:
        self.spacing_mm = np.asarray(spacing_mm, dtype=float)
        self.mask: NDArray[np.bool_] = np.pad(mask, _PAD)
        self.solid = _without_holes(self.mask)
        self.corner = np.asarray(corner) - _PAD
        wall = ndimage.binary_dilation(self.solid) & ~self.solid
        self._walls = cKDTree(self._place(np.argwhere(wall)))

    @property
    def voxel_mm(self) -> float:
        """The mean side of a voxel: the cube root of its volume."""
        return float(np.prod(self.spacing_mm) ** (1 / 3))

    @property
    def finest_mm(self) -> float:
        """The smallest spacing."""
        return float(self.spacing_mm.min())

    def positions(self, indices: NDArray[np.integer]) -> FloatArray:
        """Positions (n, 3) in mm of voxels (n, 3) of the padded box."""
        return self._place(indices)

    def radius_mm(self, positions: FloatArray) -> FloatArray:
        """Distance (n,) from positions (n, 3) to the wall, which lies half a voxel before the background's centres."""
        distances, _ = self._walls.query(positions)
        radius: FloatArray = np.maximum(distances - self.voxel_mm / 2, self.finest_mm / 2)
        return radius

    def values(self, positions: FloatArray) -> NDArray[np.float32]:
        """The mask between voxels (trilinear, 0 to 1) at positions (..., 3); the wall is where it is 0.5."""
        indices = np.moveaxis(positions / self.spacing_mm - self.corner, -1, 0)
        values: NDArray[np.float32] = ndimage.map_coordinates(
            self.mask, indices, output=np.float32, order=1, mode="constant", cval=0.0
        )
        return values

    def _place(self, indices: NDArray[np.integer]) -> FloatArray:
        place: FloatArray = (indices + self.corner) * self.spacing_mm
        return place


def _without_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    thick = ndimage.binary_opening(filled, iterations=_THICK_STEPS)
    if not thick.any():
        return filled
    near = ndimage.binary_dilation(thick, iterations=_THICK_STEPS + 1)
    closed = ndimage.minimum_filter(ndimage.maximum_filter(filled.view(np.uint8), 3), 3).view(np.bool_)
    solid: NDArray[np.bool_] = ndimage.binary_fill_holes(filled | (closed & near))
    return solid
