"""One orientation for all images inside, and the exact way back."""

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uumamba.core.settings import Settings
from uumamba.imaging.grid import directions_of
from uumamba.imaging.image import FloatArray, Image

THICK_SLICE_RATIO = 2.0
"""An image whose largest spacing exceeds the second largest by more than this is a stack of thick slices."""
SLICES_TOWARDS = np.array([1.0, -1.0, 1.0])
"""The side to which a thick stack's slices go: right, posterior, superior (from a heart's apex to its base)."""


class Orientation(Settings):
    """How canonical axes lie in an image as it was read; JSON-able.

    Canonical axis i is the image's axis `axes[i]`, run backwards where `flipped[i]`.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]


STORED = Orientation(axes=(0, 1, 2), flipped=(False, False, False))
"""The axes as the image stores them."""


def find_orientation(affine: FloatArray) -> Orientation:
    """The canonical orientation of a grid, the same whatever the order and sense in which its axes are stored.

    1. The three axes are assigned to the patient's right, anterior and superior so that the sum of their cosines is
       largest, and each points to its positive side.
    2. In a stack of thick slices the slice axis then moves last, because a short-axis stack of the heart may lie
       nearest to any patient axis. It points right, posterior and superior: half-way between right and anterior, where
       such stacks lie, the nearest axis changes from patient to patient, and apex and base would change places.
    """
    directions = directions_of(affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    columns = [_first_positive(directions[:, axis]) for axis in range(3)]

    def closeness(axes: tuple[int, ...]) -> tuple[float, list[float]]:
        """The sum of cosines; equal sums are told apart by the directions, not by the order of storage."""
        assigned = np.stack([columns[axis] for axis in axes], axis=1)
        return float(np.abs(np.diagonal(assigned)).sum()), assigned.ravel().tolist()

    nearest = max(permutations(range(3)), key=closeness)
    towards = {axis: np.eye(3)[patient_axis] for patient_axis, axis in enumerate(nearest)}
    order = list(nearest)
    thinnest_to_thickest = np.argsort(spacing)
    if spacing[thinnest_to_thickest[2]] > THICK_SLICE_RATIO * spacing[thinnest_to_thickest[1]]:
        slices = int(thinnest_to_thickest[2])
        order = [axis for axis in nearest if axis != slices] + [slices]
        towards[slices] = SLICES_TOWARDS
    first, second, third = order
    flip_first, flip_second, flip_third = (_points_away(directions[:, axis], towards[axis]) for axis in order)
    return Orientation(axes=(first, second, third), flipped=(flip_first, flip_second, flip_third))


def reorient(image: Image, orientation: Orientation) -> Image:
    """The image with its axes in the orientation's order and sense, each voxel where it was in the patient.

    A label map goes with its image: give both the image's orientation.
    """
    axes, flipped = orientation.axes, orientation.flipped
    data = on_canonical_axes(image.data, orientation)
    affine = image.affine.copy()
    for canonical, (axis, flip) in enumerate(zip(axes, flipped, strict=True)):
        column = image.affine[:3, axis]
        affine[:3, canonical] = -column if flip else column
        affine[:3, 3] += column * (image.data.shape[axis] - 1) * flip
    return Image(np.ascontiguousarray(data), affine, image.repairs, time=image.time)


def to_canonical(image: Image) -> tuple[Image, Orientation]:
    """The image in canonical orientation (`find_orientation`), and what `from_canonical` needs to undo it."""
    orientation = find_orientation(image.affine)
    return reorient(image, orientation), orientation


def on_canonical_axes(array: NDArray[Any], orientation: Orientation) -> NDArray[Any]:
    """A view of an array on its image's own axes (x, y, z, ...) with the axes in the orientation's order and sense."""
    return np.flip(array.transpose(*orientation.axes, *range(3, array.ndim)), _flipped_axes(orientation))


def from_canonical(array: NDArray[Any], orientation: Orientation) -> NDArray[Any]:
    """Put a canonical array (x, y, z, ...) back on the axes of the image that it came from; exact."""
    back = np.argsort(orientation.axes).tolist()
    flipped = np.flip(array, _flipped_axes(orientation))
    return np.ascontiguousarray(flipped.transpose(*back, *range(3, array.ndim)))


def _flipped_axes(orientation: Orientation) -> tuple[int, ...]:
    return tuple(axis for axis, flip in enumerate(orientation.flipped) if flip)


def _first_positive(direction: FloatArray) -> FloatArray:
    """The direction or its opposite, whichever has its first non-zero component positive."""
    return -direction if direction[np.flatnonzero(direction)[0]] < 0 else direction


def _points_away(direction: FloatArray, towards: FloatArray) -> bool:
    """Whether a direction must be turned round to point `towards`; at right angles to it, to be `_first_positive`."""
    cosine = float(direction @ towards)
    return cosine < 0 if cosine else bool(direction[np.flatnonzero(direction)[0]] < 0)
