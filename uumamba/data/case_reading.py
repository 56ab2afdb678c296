"""The images and the reference of a case."""

from dataclasses import replace
from pathlib import Path

from uumamba.core.errors import GeometryError, InputError
from uumamba.data.case import Case
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image


def read_case_images(case: Case) -> list[Image]:
    """One image (x, y, z) per channel; raises `InputError` as `read_image`, and for a frame that is not there.

    Small integers stay integers: a large CT is there twice for a while, as it was read and as float32.
    """
    if case.frames is None:
        return [read_image(path, keep_integers=True) for path in case.images]
    series = {path: read_image(path, max_dimensions=4, keep_integers=True) for path in dict.fromkeys(case.images)}
    return [frame_of(series[path], frame, path) for path, frame in zip(case.images, case.frames, strict=True)]


def read_case_labels(case: Case) -> Image:
    """The reference (x, y, z); raises `InputError` as `read_label_map`, and if there is none."""
    if case.label_map is None:
        raise InputError(f"{case.name}: no reference label map; a training case needs one")
    return read_label_frame(case.label_map, case.label_frame)


def read_image_frame(path: Path, frame: int | None) -> Image:
    """An image (x, y, z): that of the file, or the one at a place (from 0) along its fourth axis."""
    return read_image(path) if frame is None else frame_of(read_image(path, max_dimensions=4), frame, path)


def read_label_frame(path: Path, frame: int | None) -> Image:
    """As `read_image_frame` for a label map."""
    return read_label_map(path) if frame is None else frame_of(read_label_map(path, max_dimensions=4), frame, path)


def frame_of(series: Image, frame: int, path: Path) -> Image:
    """The image (x, y, z) at a place (from 0) along a series' fourth axis; `GeometryError` if it is not there."""
    frames = series.data.shape[3] if series.data.ndim == 4 else 1
    if not 0 <= frame < frames:
        raise GeometryError(f"{path}: has {frames} place(s) along its fourth axis, number {frame + 1} was asked for")
    if series.data.ndim == 3:
        return series
    return replace(series, data=series.data[..., frame], time=None)
