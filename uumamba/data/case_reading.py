"""The images and the reference of a case."""

from dataclasses import replace
from pathlib import Path

from uumamba.core.errors import GeometryError, InputError
from uumamba.data.case import Case
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image


def read_case_images(case: Case) -> list[Image]:
    """One image (x, y, z) per channel; raises `InputError` as `read_image`, and for a frame that is not there."""
    if case.frames is None:
        return [read_image(path) for path in case.images]
    series = {path: read_image(path, max_dimensions=4) for path in dict.fromkeys(case.images)}
    return [_frame(series[path], frame, path) for path, frame in zip(case.images, case.frames, strict=True)]


def read_case_labels(case: Case) -> Image:
    """The reference (x, y, z); raises `InputError` as `read_label_map`, and if there is none."""
    if case.label_map is None:
        raise InputError(f"{case.name}: no reference label map; a training case needs one")
    if case.label_frame is None:
        return read_label_map(case.label_map)
    return _frame(read_label_map(case.label_map, max_dimensions=4), case.label_frame, case.label_map)


def _frame(series: Image, frame: int, path: Path) -> Image:
    frames = series.data.shape[3] if series.data.ndim == 4 else 1
    if not 0 <= frame < frames:
        raise GeometryError(f"{path}: has {frames} place(s) along its fourth axis, number {frame + 1} was asked for")
    if series.data.ndim == 3:
        return series
    return replace(series, data=series.data[..., frame], time=None)
