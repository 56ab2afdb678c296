"""CT phantoms: a body of ellipsoids with vessels in it, in Hounsfield units, written as a pair of image and label map.

For demonstration, tests and measurements of time and memory, up to the size of real scans: a volume is painted slab by
slab, and holds two bytes a voxel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uumamba.data.phantom_tubes import Floats, LabelVolume, PhantomGrid
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image

CTVolume = NDArray[np.int16]

AIR_HU, LUNG_HU, FAT_HU, MUSCLE_HU, BONE_HU = -1000, -850, -90, 50, 320
_SLICES_AT_ONCE = 16
_BLUR_VOXELS = 0.6
_NOISE_LOST_BY_BLUR = 2.0


@dataclass(frozen=True)
class Organ:
    """An ellipsoid of one tissue: centre and semi-axes (x, y, z) in mm; an infinite semi-axis makes it a cylinder."""

    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    hu: float

    def scaled(self, factors: Floats) -> "Organ":
        """The same in a larger or smaller patient."""
        x, y, z = (np.array(self.centre) * factors).tolist()
        a, b, c = (np.array(self.semi_axes) * factors).tolist()
        return Organ((x, y, z), (a, b, c), self.hu)


@dataclass(frozen=True)
class Storage:
    """How a file stores the volume: the axis that each of its axes runs along, which of them backwards, and a tilt.

    `tilt_degrees` turns the patient about the long axis of the table.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    backwards: tuple[bool, bool, bool] = (True, True, False)
    tilt_degrees: float = 0.0

    def image(self, volume: NDArray[np.integer], grid: PhantomGrid) -> Image:
        """A volume (to the right, to the front, up) as the file has it, with its affine: a view."""
        affine = np.diag([*grid.spacing_mm, 1.0])
        affine[:3, 3] = -(np.array(grid.shape) - 1) / 2 * np.array(grid.spacing_mm)
        data = volume.transpose(self.axes)
        affine[:3, :3] = affine[:3, self.axes]
        for axis in np.flatnonzero(self.backwards).tolist():
            data = np.flip(data, axis)
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
        angle = np.radians(self.tilt_degrees)
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return Image(data, turn @ affine)


def paint_ct(
    labels: LabelVolume,
    grid: PhantomGrid,
    organs: Sequence[Organ],
    random: np.random.Generator,
    *,
    vessel_hu: float,
    noise_hu: float,
) -> CTVolume:
    """The scan of organs, each drawn over those before it, and of vessels: every labelled voxel holds contrast agent.

    Edges are blurred within slices, and the noise with them.
    """
    image = np.empty(grid.shape, dtype=np.int16)
    for low in range(0, grid.shape[2], _SLICES_AT_ONCE):
        high = min(low + _SLICES_AT_ONCE, grid.shape[2])
        tissue = np.full((*grid.shape[:2], high - low), AIR_HU, dtype=np.float32)
        places = (grid.places(0), grid.places(1), grid.places(2, low, high))
        for organ in organs:
            parts = [
                ((place - middle) / radius).astype(np.float32) ** 2
                for place, middle, radius in zip(places, organ.centre, organ.semi_axes, strict=True)
            ]
            tissue[parts[0] + parts[1] + parts[2] <= 1] = organ.hu
        tissue[labels[..., low:high] > 0] = vessel_hu
        tissue += random.standard_normal(tissue.shape, dtype=np.float32) * (noise_hu * _NOISE_LOST_BY_BLUR)
        smooth = gaussian_filter(tissue, (_BLUR_VOXELS, _BLUR_VOXELS, 0), truncate=3)
        image[..., low:high] = np.rint(smooth).clip(-1024, 3071)
    return image


def write_pair(
    image_path: Path, label_path: Path, image: CTVolume, labels: LabelVolume, grid: PhantomGrid, storage: Storage
) -> None:
    """Write a scan in whole numbers and its label map, both stored alike."""
    scan = storage.image(image, grid)
    write_image(image_path, scan, dtype=np.int16)
    write_label_map(label_path, storage.image(labels, grid).data, like=scan)
