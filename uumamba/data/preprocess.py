"""From an image to what the network sees; `restoration.py` has the way back.

Reorient, crop to nonzero, normalise, resample: the voxels are those of nnU-Net's `DefaultPreprocessor`, made by its
functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    CTNormalization,
    NoNormalization,
    ZScoreNormalization,
)
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape, resample_data_or_seg_to_shape

from uumamba.core.errors import IntensityError
from uumamba.core.settings import Settings
from uumamba.data.plan import Channel, Plan
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import STORED, Orientation, find_orientation, reorient

PREPROCESSING_VERSION = 1
"""Raised whenever the same files and plan give other arrays, so that stored cases are made again."""

_NORMALIZERS = {"z-score": ZScoreNormalization, "ct": CTNormalization, "none": NoNormalization}
_ORDER_IMAGE, _ORDER_LABELS, _ORDER_BETWEEN_SLICES = 3, 1, 0


class Geometry(Settings):
    """What preprocessing did to a grid, enough to undo it. All but `orientation` is in network axis order.

    `crop` holds a half-open range of voxels per axis; `spacing_mm` is the image's own.
    """

    orientation: Orientation
    spacing_mm: tuple[float, float, float]
    shape_before_crop: tuple[int, int, int]
    crop: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

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
    channels = [reorient(image, orientation) for image in images]
    data = np.stack([channel.data.transpose(plan.axes) for channel in channels]).astype(np.float32, copy=False)
    reference = None if label_map is None else _labels_of(reorient(label_map, orientation), plan)
    shape_before_crop = data.shape[1:]
    data, labels, crop = crop_to_nonzero(data, reference)
    first, second, third = (channels[0].spacing_mm[axis] for axis in plan.axes)
    geometry = Geometry(
        orientation=orientation,
        spacing_mm=(first, second, third),
        shape_before_crop=shape_before_crop,
        crop=crop,
    )
    for channel, values in zip(plan.channels, data, strict=True):
        _normalise(values, channel, labels[0])
    data = _to_plan_grid(data, geometry, plan, is_seg=False, order=_ORDER_IMAGE)
    if reference is None:
        return PreprocessedCase(data, None, geometry)
    labels = _to_plan_grid(labels, geometry, plan, is_seg=True, order=_ORDER_LABELS)
    return PreprocessedCase(data, labels, geometry)


def _labels_of(label_map: Image, plan: Plan) -> np.ndarray:
    """A reoriented label map as signed integers (1, *network axes), so that nnU-Net can mark outside voxels with -1."""
    return label_map.data.transpose(plan.axes)[None].astype(np.int16)


def _normalise(values: np.ndarray, channel: Channel, labels: np.ndarray) -> None:
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
        usable = bool(np.isfinite(values).all())
    if not usable:
        raise IntensityError(
            f"channel {channel.name}: its intensities, {lowest:g} to {highest:g}, are too extreme to be normalised; if "
            f"they mark missing voxels, set those to 0 or to the value of air and save the image again"
        )


def _to_plan_grid(data: np.ndarray, geometry: Geometry, plan: Plan, *, is_seg: bool, order: int) -> np.ndarray:
    spacing = plan_spacing(geometry, plan)
    resampled: np.ndarray = resample_data_or_seg_to_shape(
        data,
        compute_new_shape(data.shape[1:], geometry.spacing_mm, spacing),
        geometry.spacing_mm,
        spacing,
        is_seg=is_seg,
        order=order,
        order_z=_ORDER_BETWEEN_SLICES,
        force_separate_z=None,
    )
    return resampled


def plan_spacing(geometry: Geometry, plan: Plan) -> tuple[float, float, float]:
    """The spacing (mm, network axis order) that a case is resampled to; a 2D network's slices keep their distance."""
    return plan.spacing_mm if plan.spatial_dims == 3 else (geometry.spacing_mm[0], *plan.spacing_mm[1:])
