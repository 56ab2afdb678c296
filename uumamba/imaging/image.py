"""The image: voxels and where they are in the patient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uumamba.imaging.time_axis import TimeAxis

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels on a grid in the patient: an image or a label map.

    `data` has axes (x, y, z), or (x, y, z, time) where a caller asked for four; `affine` (4, 4) takes a voxel index
    (i, j, k, 1) to millimetres in RAS (right, anterior, superior positive) and is free of shear. `repairs` says in
    sentences with numbers what was put right in the file's geometry. `header` holds the NIfTI header's bytes, so that
    a label map can be written with the same one; it is empty for other formats and after reorienting. `time` is what
    the file says of a fourth axis.
    """

    data: NDArray[Any]
    affine: FloatArray
    repairs: tuple[str, ...] = ()
    header: bytes = b""
    time: TimeAxis | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y and z; a time axis is not part of it."""
        x, y, z = self.data.shape[:3]
        return x, y, z

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels' centres along x, y and z."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z


@dataclass(frozen=True, eq=False)
class ImageSize:
    """What a file's header says of its image: `shape` (x, y, z[, time]), `affine` as in `Image`, bytes of a voxel."""

    shape: tuple[int, ...]
    affine: FloatArray
    voxel_bytes: int
