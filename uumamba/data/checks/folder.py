"""A folder of images that is no data set: what is in it, as cases without a label set."""

from collections.abc import Iterator
from pathlib import Path

from uumamba.data.case import Case
from uumamba.data.problem import Problem
from uumamba.imaging.files import IMAGE_SUFFIXES, LABEL_MARKS, find_images, image_stem, without_mark

OTHER_FORMATS = (".hdr", ".img", ".mhd", ".nhdr", ".dcm", ".ima", ".mgz", ".mgh", ".gipl", ".mnc")
"""Suffixes of images that are not read."""


def folder_cases(folder: Path) -> tuple[Case, ...]:
    """Every image file below a folder as a case of its own, named by its path, with the label map beside it, if any.

    X_gt, X_label and the like (`LABEL_MARKS`) are label maps of X in the same folder; one without X is a case without
    images. Raises `InputError` if it is no folder.
    """
    files = find_images(folder)
    stems = {path: path.with_name(image_stem(path)) for path in files}
    images = {stem: path for path, stem in stems.items() if not _is_label_map(stem)}
    label_maps = {_image_of(stem): path for path, stem in stems.items() if _is_label_map(stem)}
    names = sorted({*images, *label_maps})
    return tuple(_case(folder, name, images.get(name), label_maps.get(name)) for name in names)


def folder_problems(folder: Path, cases: tuple[Case, ...]) -> Iterator[Problem]:
    """Label maps without image, and images of formats that are not read."""
    for case in cases:
        if not case.images and case.label_map is not None:
            what = f"a label map by its name, but there is no image {Path(case.name).name} beside it"
            yield Problem(case.label_map, what, "put the image beside it, or rename it", blocks=False, kind="missing")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in OTHER_FORMATS and path.is_file():
            what = f"images ending in {path.suffix} are not read"
            fix = f"convert it to one of {', '.join(IMAGE_SUFFIXES)}"
            yield Problem(path, what, fix, blocks=False, kind="other_format")


def _is_label_map(stem: Path) -> bool:
    return _image_of(stem) != stem


def _image_of(stem: Path) -> Path:
    return stem.with_name(without_mark(stem.name, LABEL_MARKS))


def _case(folder: Path, stem: Path, image: Path | None, label_map: Path | None) -> Case:
    name = stem.relative_to(folder).as_posix()
    return Case(name, name, () if image is None else (image,), label_map)
