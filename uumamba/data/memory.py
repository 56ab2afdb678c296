"""How much memory a case takes while it is read, checked and preprocessed, known from its files' headers."""

import math
from dataclasses import dataclass

import numpy as np

from uumamba.core.errors import UumambaError
from uumamba.data.case import Case
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, preprocessing_bytes
from uumamba.imaging.files import read_size
from uumamba.imaging.image import ImageSize
from uumamba.imaging.orientation import STORED, find_orientation

_FLOAT32 = 4
_SMALL_INTEGER = 2
"""Integers of no more bytes stay what they are while a case is prepared."""
_MALLOC = 1.1
"""What malloc's heap takes for what is asked of it: gaps between arrays that come and go (measured, 5 to 15 %)."""


@dataclass(frozen=True)
class CaseSize:
    """What the headers of a case's images and of its label map, if there is one, say."""

    images: tuple[ImageSize, ...]
    label_map: ImageSize | None

    @property
    def files(self) -> tuple[ImageSize, ...]:
        """All of them."""
        return self.images if self.label_map is None else (*self.images, self.label_map)


def size_of_case(case: Case) -> CaseSize | None:
    """Read the headers of a case's files; None if one cannot be read: the case will fail when it is read as a whole."""
    try:
        images = tuple(read_size(path, max_dimensions=4) for path in dict.fromkeys(case.images))
        return CaseSize(images, None if case.label_map is None else read_size(case.label_map, max_dimensions=4))
    except UumambaError:
        return None


def reading_bytes(size: ImageSize) -> int:
    """The most that reading an image holds: the file's voxels, the image, and which of its voxels are finite."""
    return math.prod(size.shape) * (size.voxel_bytes + _FLOAT32 + 1)


def checking_bytes(size: CaseSize) -> int:
    """The most that a case holds while it is checked and measured: all its files as read, and a mask."""
    voxels = max(math.prod(file.shape) for file in size.files)
    return with_gaps(_files_bytes(size) + max(_decoding_bytes(size), 2 * voxels))


def storing_bytes(size: CaseSize, plan: Plan) -> int:
    """The most that a case holds while it is preprocessed: all its files as read, and what becomes of them."""
    preparing = preparing_bytes(size.images[0], plan, labelled=True)
    return with_gaps(_files_bytes(size) + max(_decoding_bytes(size), preparing))


def preparing_bytes(size: ImageSize, plan: Plan, *, labelled: bool = False) -> int:
    """What `preprocess_case` takes besides images of this size and their label map, if there is one."""
    geometry = geometry_of(size, plan)
    canonical = np.argsort(plan.axes)
    x, y, z = (geometry.shape_before_crop[axis] for axis in canonical)
    first, second, third = (geometry.spacing_mm[axis] for axis in canonical)
    return preprocessing_bytes((x, y, z), (first, second, third), plan, labelled=labelled)


def with_gaps(size: int) -> int:
    """What the process grows by for arrays of so many bytes."""
    return math.ceil(_MALLOC * size)


def geometry_of(size: ImageSize, plan: Plan) -> Geometry:
    """What preprocessing will do to an image of this size if it crops nothing away."""
    orientation = STORED if plan.orientation == "stored" else find_orientation(size.affine)
    spacing = np.linalg.norm(size.affine[:3, :3], axis=0)
    axes = [orientation.axes[axis] for axis in plan.axes]
    first, second, third = (size.shape[axis] for axis in axes)
    spacing_mm = (float(spacing[axes[0]]), float(spacing[axes[1]]), float(spacing[axes[2]]))
    return Geometry(
        orientation=orientation,
        spacing_mm=spacing_mm,
        shape_before_crop=(first, second, third),
        crop=((0, first), (0, second), (0, third)),
    )


def _files_bytes(size: CaseSize) -> int:
    """All images and the label map, of one byte per voxel, as they are once they are read."""
    images = sum(math.prod(image.shape) * min(image.voxel_bytes, _kept(image)) for image in size.images)
    return images + (0 if size.label_map is None else math.prod(size.label_map.shape))


def _decoding_bytes(size: CaseSize) -> int:
    """What reading the largest file holds beside what stays of it: the file's voxels, in pieces until all are there."""
    return max(math.prod(file.shape) * (file.voxel_bytes + 1) for file in size.files)


def _kept(image: ImageSize) -> int:
    return image.voxel_bytes if image.voxel_bytes <= _SMALL_INTEGER else _FLOAT32
