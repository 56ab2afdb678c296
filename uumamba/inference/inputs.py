"""Which of a user's files and folders are images to predict."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.imaging.files import IMAGE_SUFFIXES, LABEL_MARKS, find_images, image_stem, without_mark

CASES_NAME = "cases.csv"
"""The table beside the label maps of a batch."""

COLUMNS = ("case", "input", "output", "status", "reason", "seconds", "repairs", "input_sha256", "model_sha256")
"""The columns of `cases.csv`."""

_SERIES_ENDING = "_4d"


@dataclass(frozen=True)
class Inputs:
    """The images to predict, sorted as they were given, and the files of the folders that are left out, with why."""

    images: tuple[Path, ...]
    left_out: tuple[tuple[Path, str], ...]


def find_inputs(inputs: Sequence[Path], output: Path, *, only: Collection[str] | None = None) -> Inputs:
    """Take every file named in `inputs`, and from every folder, at any depth, the files that are images.

    Left out of folders: label maps (by `LABEL_MARKS`), time series (`_4d`), hidden files, and label maps of a batch:
    what lies in `output` or beside a `cases.csv` of this program. A file that is named itself is always taken, and one
    that is named twice is taken once. Raises `InputError` if an input does not exist, if no image is left, if a label
    map would overwrite an image, or if two images would give label maps of the same name.
    """
    images: dict[Path, Path] = {}
    left_out: list[tuple[Path, str]] = []
    for given in inputs:
        if not given.exists():
            raise InputError(f"{given}: no such file or folder")
        for path in find_images(given) if given.is_dir() else [given]:
            reason = _reason_to_leave_out(path, output) if given.is_dir() else None
            if reason is None:
                images.setdefault(path.resolve(), path)
            else:
                left_out.append((path, reason))
    found = tuple(path for path in images.values() if only is None or image_stem(path) in only)
    if only is not None and (absent := sorted(set(only) - {image_stem(path) for path in found})):
        raise InputError(f"no image of {', '.join(absent[:5])} ({len(absent)} in all) in {', '.join(map(str, inputs))}")
    if not found:
        reasons = sorted({reason for _, reason in left_out})
        more = f"; left out {len(left_out)} files: {', '.join(reasons)}" if left_out else ""
        raise InputError(f"no image ({', '.join(IMAGE_SUFFIXES)}) in {', '.join(map(str, inputs))}{more}")
    _require_own_outputs(found, output)
    return Inputs(found, tuple(left_out))


def output_path(image: Path, output: Path) -> Path:
    """Where an image's label map goes."""
    return output / f"{image_stem(image)}.nii.gz"


def _reason_to_leave_out(path: Path, output: Path) -> str | None:
    stem = image_stem(path)
    if path.parent.resolve() == output.resolve() or _holds_label_maps(path.parent):
        return "label map of a batch"
    if without_mark(stem, LABEL_MARKS) != stem:
        return "label map by its name"
    if stem.lower().endswith(_SERIES_ENDING):
        return "time series by its name"
    return None


def _holds_label_maps(folder: Path) -> bool:
    table = folder / CASES_NAME
    if not table.is_file():
        return False
    with table.open(encoding="utf-8", errors="replace") as file:
        return file.readline().strip() == ",".join(COLUMNS)


def _require_own_outputs(images: Sequence[Path], output: Path) -> None:
    taken: dict[str, Path] = {}
    for image in images:
        target = output_path(image, output)
        if target.resolve() == image.resolve():
            raise InputError(f"{image}: its label map would overwrite it; give another --output folder than {output}")
        other = taken.setdefault(target.name, image)
        if other is not image:
            raise InputError(
                f"{other} and {image} would both be written to {target}; rename one, or predict them into two folders"
            )
