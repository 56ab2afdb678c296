"""The one door for image files: NIfTI, NRRD and MetaImage in; label maps and images out."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from uumamba.core.errors import InputError, IntensityError, LabelError
from uumamba.imaging.grid import join_numbers
from uumamba.imaging.image import Image, ImageSize
from uumamba.imaging.nifti import (
    LABEL_INTENT,
    NO_INTENT,
    header_from,
    header_like,
    nifti_size,
    read_nifti,
    write_nifti,
)
from uumamba.imaging.nrrd_mha import nrrd_or_mha_size, read_nrrd_or_mha, write_nrrd_or_mha
from uumamba.imaging.screen import check_file

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
LABEL_MARKS = ("_gt", "_label", "_labels", ".label", "_seg", "_mask")
"""Ends of stems that make a file a label map by its name, in small letters: X_gt.nii.gz is one of case X."""
IMAGE_MARKS = ("_0000", ".img", "_img", "_image", "_cta")
"""Ends of stems that say of an image's name that it is one, in small letters: subject001_CTA.mha is of subject001."""
LABEL_ROUNDING = 1e-3
"""A label this close to an integer is that integer: labels stored as scaled or floating-point numbers."""
_LABEL_TYPES = (np.uint8, np.int16, np.int32)
_SMALL_INTEGER_BYTES = 2


def read_image(path: Path, *, max_dimensions: int = 3, keep_integers: bool = False) -> Image:
    """Read an image as float32 with axes (x, y, z), or (x, y, z, time) if `max_dimensions` is 4 and the file has four.

    With `keep_integers` integers of one or two bytes, such as those of CT, stay what they are, for half the memory;
    float32 holds the same numbers. Trailing axes of length 1 are dropped. The affine is compared and repaired as
    `nifti_grid` says, repairs are in `Image.repairs`. Raises `InputError`, one line, for everything else: no whole
    file, other sizes, NaN, shear ...
    """
    image = _read(path, max_dimensions)
    stored = image.data.dtype
    if keep_integers and stored.kind in "iu" and stored.itemsize <= _SMALL_INTEGER_BYTES:
        return replace(image, data=image.data.astype(stored.newbyteorder("="), copy=False))
    with np.errstate(over="ignore", invalid="ignore"):
        data = image.data.astype(np.float32)
    _check_finite(data, path)
    return replace(image, data=data)


def read_size(path: Path, *, max_dimensions: int = 3) -> ImageSize:
    """What the header says of an image's shape, grid and voxels, without reading these.

    Raises `InputError` as `read_image`, as far as the header tells.
    """
    with _readable(path) as is_nifti:
        return nifti_size(path, max_dimensions) if is_nifti else nrrd_or_mha_size(path, max_dimensions)


def read_label_map(path: Path, *, max_dimensions: int = 3) -> Image:
    """Read a label map as uint8, or int16 or int32 if its numbers need it; the numbers are kept.

    Its axes are those of `read_image`. Floating-point files are accepted if their values are whole. Raises `InputError`
    as `read_image`, and its kind `LabelError` for labels that are negative, not whole or beyond int32.
    """
    image = _read(path, max_dimensions)
    data = image.data
    if data.dtype.kind == "f":
        _check_finite(data, path)
        data = _whole(data, path)
    lowest, highest = data.min().item(), data.max().item()
    fitting = [kind for kind in _LABEL_TYPES if highest <= np.iinfo(kind).max]
    if lowest < 0 or not fitting:
        raise LabelError(
            f"{path}: its labels go from {lowest:g} to {highest:g}; labels are numbers from 0 to "
            f"{np.iinfo(np.int32).max}; is this an image and not a label map?"
        )
    return replace(image, data=data.astype(fitting[0]))


def write_label_map(path: Path, labels: NDArray[Any], like: Image) -> None:
    """Write labels as uint8 on `like`'s exact grid; the format goes by the suffix.

    `labels` are integers from 0 to 255 with `like`'s shape. From a NIfTI to a NIfTI file the input's header is kept
    (pixdim, sform, qform, codes, units, time, faults included), so that the label map overlays on its input in every
    viewer; otherwise the geometry is written from affine and time axis. Raises `InputError` for other labels, shapes
    and suffixes.
    """
    _check_shape(path, "labels", labels, like)
    if labels.dtype.kind not in "bui" or labels.min() < 0 or labels.max() > 255:
        raise InputError(
            f"{path}: labels from {labels.min():g} to {labels.max():g} ({labels.dtype}) cannot be written as uint8; "
            f"integers from 0 to 255 can"
        )
    _write_like(path, labels.astype(np.uint8), like, intent=LABEL_INTENT)


def write_map(path: Path, values: NDArray[Any], like: Image) -> None:
    """Write a number per voxel, such as an entropy, as float32 on `like`'s exact grid, its header kept as for labels.

    Raises `InputError` for other shapes and suffixes, and for numbers that are not finite.
    """
    _check_shape(path, "values", values, like)
    data = values.astype(np.float32)
    _check_finite(data, path)
    _write_like(path, data, like, intent=NO_INTENT)


def write_image(
    path: Path, image: Image, *, sform_scale_mm: float | None = None, dtype: DTypeLike = np.float32
) -> None:
    """Write an image as `dtype` from its data, affine and time axis alone; the format goes by the suffix.

    `sform_scale_mm`, for NIfTI only, writes an sform of that spacing beside a true pixdim: with 1 the file has ACDC's
    header trap. Raises `InputError` for an unknown suffix.
    """
    suffix = _suffix(path)
    data = image.data.astype(dtype, copy=False)
    if suffix in (".nii.gz", ".nii"):
        write_nifti(path, data, header_from(image.affine, sform_scale_mm, image.time))
    elif sform_scale_mm is not None:
        raise InputError(f"{path}: sform_scale_mm is for NIfTI files only; {suffix} has no sform")
    else:
        write_nrrd_or_mha(path, replace(image, data=data))


def image_stem(path: Path) -> str:
    """A file's name without folder and image suffix: `a/patient001.nii.gz` -> `patient001`; else `InputError`."""
    return path.name[: -len(_suffix(path))]


def without_mark(stem: str, marks: Iterable[str]) -> str:
    """A stem without the first of `marks` (in small letters) that it ends with, in letters of either size."""
    for mark in marks:
        if stem.lower().endswith(mark) and len(stem) > len(mark):
            return stem[: -len(mark)]
    return stem


def find_images(folder: Path) -> list[Path]:
    """The files with an image's suffix in a folder, at any depth, sorted; `InputError` if it is no folder.

    Hidden files and all within hidden folders are left out.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = (path for path in folder.rglob("*") if path.name.lower().endswith(IMAGE_SUFFIXES) and path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _write_like(path: Path, data: NDArray[Any], like: Image, *, intent: int) -> None:
    if _suffix(path) in (".nii.gz", ".nii"):
        write_nifti(path, data, header_like(like, intent=intent))
    else:
        write_nrrd_or_mha(path, Image(data, like.affine, time=like.time))


def _check_shape(path: Path, what: str, data: NDArray[Any], like: Image) -> None:
    if data.shape not in (like.shape, like.data.shape):
        raise InputError(
            f"{path}: the {what} have shape {join_numbers(data.shape)}, their image {join_numbers(like.data.shape)}; "
            f"bring them back to the image's grid first"
        )


def _suffix(path: Path) -> str:
    """The image suffix of a path; `InputError` if it has none."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise InputError(f"{path}: not an image file's name; {', '.join(IMAGE_SUFFIXES)} are read and written; convert it")


def _read(path: Path, max_dimensions: int) -> Image:
    """An image with its voxels as the file has them."""
    with _readable(path) as is_nifti:
        return read_nifti(path, max_dimensions) if is_nifti else read_nrrd_or_mha(path, max_dimensions)


@contextmanager
def _readable(path: Path) -> Iterator[bool]:
    """Whether the file is NIfTI; what keeps it from being read is an `InputError`."""
    suffix = _suffix(path)
    try:
        check_file(path)
        yield suffix in (".nii.gz", ".nii")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: cannot be read ({reason}); check the file and its permissions") from None


def _check_finite(data: NDArray[Any], path: Path) -> None:
    finite = int(np.isfinite(data).sum())
    if finite < data.size:
        raise IntensityError(
            f"{path}: {data.size - finite} of {data.size} voxels are NaN, infinite or beyond float32; "
            f"replace them, for example by 0, and save it again"
        )


def _whole(data: NDArray[Any], path: Path) -> NDArray[Any]:
    """Floating-point labels rounded; `InputError` if they are not nearly whole."""
    rounded: NDArray[Any] = np.round(data)
    broken = np.abs(data - rounded) > LABEL_ROUNDING
    if broken.any():
        raise LabelError(
            f"{path}: {int(broken.sum())} of {data.size} labels are not whole numbers, such as {data[broken][0]:.6g}; "
            f"is this an image, or a label map resampled by interpolation?"
        )
    return rounded
