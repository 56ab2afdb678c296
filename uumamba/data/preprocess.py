"""From an image to what the network sees; `restoration.py` has the way back.

Reorient, crop to nonzero, normalise, resample: the voxels are those of nnU-Net's `DefaultPreprocessor`, made by its
functions or, where those copy the image more often than is needed, by the same steps (`resampling.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    CTNormalization,
    NoNormalization,
    ZScoreNormalization,
)
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape
from numpy.typing import DTypeLike, NDArray

from uumamba.core.errors import IntensityError
from uumamba.core.settings import Settings
from uumamba.data.nonzero import Crop, crop_to_nonzero
from uumamba.data.plan import Channel, Plan
from uumamba.data.resampling import coarse_axis, resample_image, resample_labels, resampling_bytes
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import STORED, Orientation, find_orientation, on_canonical_axes

PREPROCESSING_VERSION = 1
"""Raised whenever the same files and plan give other arrays, so that stored cases are made again."""

_NORMALIZERS = {"z-score": ZScoreNormalization, "ct": CTNormalization, "none": NoNormalization}
_FLOAT32, _INT16 = 4, 2
_FILLING = 4
"""Bytes per voxel while the holes of a mask are filled (measured)."""


class Geometry(Settings):
    """What preprocessing did to a grid, enough to undo it. All but `orientation` is in network axis order.

    `crop` holds a half-open range of voxels per axis; `spacing_mm` is the image's own.
    """

    orientation: Orientation
    spacing_mm: tuple[float, float, float]
    shape_before_crop: tuple[int, int, int]
    crop: Crop

    @property
    def shape_after_crop(self) -> tuple[int, int, int]:
        """Size before resampling."""
        x, y, z = (stop - start for start, stop in self.crop)
        return x, y, z


@dataclass(frozen=True)
class PreprocessedCase:
    """An image as the network sees it: `data` float32 (channel, *network axes).

    `labels` is int16 (1, *network axes), or None without a reference. As in nnU-Net, -1 marks background outside the
    nonzero mask (where all channels are zero, holes apart), which a masked normalisation leaves at zero.
    """

    data: np.ndarray
    labels: np.ndarray | None
    geometry: Geometry


def preprocess_case(images: Sequence[Image], plan: Plan, label_map: Image | None = None) -> PreprocessedCase:
    """Preprocess one case: one image per channel of the plan, and its reference if there is one.

    Images are turned to canonical axes, or taken as they are stored if the plan says so. With the configuration "2d"
    slices keep their own distance. Raises `GeometryError` unless all are on one grid, and `IntensityError` for a
    channel whose intensities are too extreme to be normalised.
    """
    first_image, *other_images = (f"the image of channel {channel.name}" for channel in plan.channels)
    for name, image in zip(other_images, images[1:], strict=True):
        require_same_grid(images[0], image, first_image, name)
    if label_map is not None:
        require_same_grid(images[0], label_map, first_image, "the label map")
    orientation = STORED if plan.orientation == "stored" else find_orientation(images[0].affine)
    data = _on_network_axes([image.data for image in images], orientation, plan, np.float32)
    # Signed, so that outside voxels can be marked with -1.
    reference = None if label_map is None else _on_network_axes([label_map.data], orientation, plan, np.int16)
    shape_before_crop = data.shape[1:]
    needs_mask = any(channel.mask_for_normalization for channel in plan.channels)
    data, labels, crop = crop_to_nonzero(data, reference, needs_mask=needs_mask)
    first, second, third = (images[0].spacing_mm[orientation.axes[axis]] for axis in plan.axes)
    geometry = Geometry(
        orientation=orientation,
        spacing_mm=(first, second, third),
        shape_before_crop=shape_before_crop,
        crop=crop,
    )
    for channel, values in zip(plan.channels, data, strict=True):
        _normalise(values, channel, None if labels is None else labels[0])
    spacing = plan_spacing(geometry, plan)
    shape = compute_new_shape(data.shape[1:], geometry.spacing_mm, spacing)
    coarse = coarse_axis(geometry.spacing_mm, spacing)
    data = resample_image(data, shape, coarse)
    if reference is None or labels is None:
        return PreprocessedCase(data, None, geometry)
    return PreprocessedCase(data, resample_labels(labels, shape, coarse), geometry)


def preprocessing_bytes(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], plan: Plan, *, labelled: bool = False
) -> int:
    """The most memory that `preprocess_case` takes besides its images and label map, with the arrays that it makes.

    `shape` and `spacing_mm` are the images', on the axes that the plan takes them in, (x, y, z). Nothing is taken to be
    cropped away. `labelled` says whether there is a label map.
    """
    size = int(np.prod(shape))
    data = size * _FLOAT32 * len(plan.channels)
    first, second, third = (spacing_mm[axis] for axis in plan.axes)
    target = _target_spacing((first, second, third), plan)
    old = [shape[axis] for axis in plan.axes]
    new = compute_new_shape(old, (first, second, third), target)
    resampling = resampling_bytes(len(plan.channels), old, new, coarse_axis((first, second, third), target))
    masks = _FILLING if labelled else 2 if len(plan.channels) > 1 else 1
    reference = size * _INT16 * labelled
    return data + reference + max(size * masks, _normalising_bytes(size, plan), resampling)


def _on_network_axes(
    arrays: Sequence[NDArray[Any]], orientation: Orientation, plan: Plan, dtype: DTypeLike
) -> NDArray[Any]:
    """Copies (array, *network axes) of arrays on their image's own axes.

    In memory they lie as on canonical axes: a mean's last bit depends on it, and must not on how a file is stored.
    """
    views = [on_canonical_axes(array, orientation) for array in arrays]
    copies = np.empty((len(views), *views[0].shape), dtype=dtype)
    for copy, view in zip(copies, views, strict=True):
        # Plane by plane: what is read in another order than it is written stays in the cache.
        for row in range(copy.shape[1]):
            copy[:, row] = view[:, row]
    return copies.transpose(0, *(1 + axis for axis in plan.axes))


def _normalise(values: NDArray[np.float32], channel: Channel, labels: NDArray[Any] | None) -> None:
    """Normalise one channel (*network axes) in place; a mask for it covers the voxels whose label is not negative."""
    lowest, highest = float(values.min()), float(values.max())
    normalizer = _NORMALIZERS[channel.normalization](channel.mask_for_normalization, channel.statistics.model_dump())
    try:
        # A sum that overflows can end in NaN, but also in an image that is 0 everywhere.
        with np.errstate(over="raise"):
            values[...] = normalizer.run(values, labels)
    except FloatingPointError:
        usable = False
    else:
        # Not a number is the smallest and the largest of any values.
        usable = bool(np.isfinite(values.min()) and np.isfinite(values.max()))
    if not usable:
        raise IntensityError(
            f"channel {channel.name}: its intensities, {lowest:g} to {highest:g}, are too extreme to be normalised; if "
            f"they mark missing voxels, set those to 0 or to the value of air and save the image again"
        )


def _normalising_bytes(size: int, plan: Plan) -> int:
    """The most memory that normalising a channel of `size` voxels takes, with the mask where one is needed.

    A standard deviation takes a copy of the values; under a mask they are copied out before.
    """
    masked = [channel.mask_for_normalization for channel in plan.channels]
    copies = [1 + channel.mask_for_normalization for channel in plan.channels if channel.normalization == "z-score"]
    return size * (max(copies, default=0) * _FLOAT32 + 2 * any(masked))


def network_shape(geometry: Geometry, plan: Plan) -> tuple[int, int, int]:
    """The shape of a case on the network's grid."""
    first, second, third = compute_new_shape(
        geometry.shape_after_crop, geometry.spacing_mm, plan_spacing(geometry, plan)
    )
    return int(first), int(second), int(third)


def plan_spacing(geometry: Geometry, plan: Plan) -> tuple[float, float, float]:
    """The spacing (mm, network axis order) that a case is resampled to; a 2D network's slices keep their distance."""
    return _target_spacing(geometry.spacing_mm, plan)


def _target_spacing(spacing_mm: tuple[float, float, float], plan: Plan) -> tuple[float, float, float]:
    return plan.spacing_mm if plan.spatial_dims == 3 else (spacing_mm[0], *plan.spacing_mm[1:])
