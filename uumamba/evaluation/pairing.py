"""Which prediction belongs to which reference, by file name.

A case's name is a file's stem without a mark. `X_gt`, `X_label` and the like (`LABEL_MARKS`) are label maps of case X;
`X_0000`, `X.img`, `X_img`, `X_image` and `X_CTA` are named after X's image, as predictions often are. Where a
references folder has marked files, the unmarked ones beside them are images (ACDC, ImageCAS, AortaSeg24), X's image
among them; else every image file in it is a reference. A prediction's maps, `X_entropy` and `X_disagreement`, are left
alone.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.imaging.files import IMAGE_MARKS, IMAGE_SUFFIXES, LABEL_MARKS, find_images, image_stem, without_mark

MAP_MARKS = ("_entropy", "_disagreement")
_EXAMPLES = 3


@dataclass(frozen=True)
class CasePair:
    """A case with its reference and its prediction, None where there is none; `image` if it is known.

    It is known if it lies beside the reference, or if the data set says where it lies. Of series `frame` is what is
    compared, counted from 0.
    """

    name: str
    prediction: Path | None
    reference: Path
    image: Path | None = None
    frame: int | None = None


@dataclass(frozen=True)
class Pairing:
    """Every case that has a reference, by name, and the predictions that have none."""

    pairs: tuple[CasePair, ...]
    extra: tuple[Path, ...]


def pair_predictions(
    predictions: Path, references: Path, *, only: Collection[str] | None = None, cases: Iterable[Case] = ()
) -> Pairing:
    """Find the prediction of every reference; both folders are searched with all that is below them.

    `only` limits the evaluation to the cases of these names. Where `cases` are frames of series, each is a pair of its
    own, found by the series' name, and references of which none is a case are left out, unless all are. Raises
    `InputError` where two files claim one case, where nothing matches, and for a name in `only` without a reference.
    """
    predicted = _image_files(predictions)
    by_case, images = _references(references)
    found: dict[str, Path] = {}
    extra: list[Path] = []
    for path in predicted:
        name = _case_of_prediction(image_stem(path), by_case)
        if name is not None:
            _claim(found, name, path, "predictions")
        elif without_mark(image_stem(path), MAP_MARKS) == image_stem(path):
            extra.append(path)
    if not found:
        raise InputError(
            f"nothing to compare: none of {_count(predictions, extra)} is named after one of "
            f"{_count(references, by_case.values())}; "
            "name a prediction X.nii.gz for a reference X.nii.gz, X_gt.nii.gz or X_label.nii.gz"
        )
    cases = tuple(cases)
    images = {case.name: case.images[0] for case in cases if case.images} | images
    pairs = [CasePair(name, found.get(name), by_case[name], images.get(name)) for name in sorted(by_case)]
    pairs = _frame_by_frame(pairs, cases)
    if only is not None:
        names = [pair.name for pair in pairs]
        if unknown := sorted(set(only) - set(names)):
            raise InputError(
                f"{references}: no reference for {', '.join(unknown)}; there is {', '.join(names[:_EXAMPLES])} ..."
            )
        pairs = [pair for pair in pairs if pair.name in only]
    return Pairing(tuple(pairs), tuple(extra))


def _frame_by_frame(pairs: list[CasePair], cases: Iterable[Case]) -> list[CasePair]:
    """The pairs of the cases that are frames of series, by name; all pairs as they are if none is.

    References that lie elsewhere than the data set's may be single frames with the cases' own names.
    """
    frames = [case for case in cases if case.label_frame is not None and case.label_map is not None]
    if not frames:
        return pairs
    by_reference = {pair.reference.resolve(): pair for pair in pairs}
    found = [(case, by_reference.get(case.label_map.resolve())) for case in frames if case.label_map is not None]
    split = [replace(pair, name=case.name, frame=case.label_frame) for case, pair in found if pair is not None]
    return sorted(split, key=lambda pair: pair.name) or pairs


def _references(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Case -> reference, and case -> image where that lies beside a marked reference."""
    paths = _image_files(folder)
    marked = [path for path in paths if without_mark(image_stem(path), LABEL_MARKS) != image_stem(path)]
    by_case: dict[str, Path] = {}
    for path in marked or paths:
        _claim(by_case, without_mark(image_stem(path), LABEL_MARKS), path, "references")
    beside = {(path.parent, without_mark(image_stem(path), IMAGE_MARKS)): path for path in paths if marked}
    images = {name: beside[path.parent, name] for name, path in by_case.items() if (path.parent, name) in beside}
    return by_case, images


def _image_files(folder: Path) -> list[Path]:
    paths = find_images(folder)
    if not paths:
        raise InputError(f"{folder}: no image file in it ({', '.join(IMAGE_SUFFIXES)})")
    return paths


def _case_of_prediction(stem: str, cases: Collection[str]) -> str | None:
    candidates = (stem, without_mark(stem, IMAGE_MARKS), without_mark(stem, LABEL_MARKS))
    return next((name for name in candidates if name in cases), None)


def _claim(by_case: dict[str, Path], name: str, path: Path, what: str) -> None:
    if name in by_case:
        raise InputError(f"two {what} for case {name}: {by_case[name]} and {path}; remove or rename one")
    by_case[name] = path


def _count(folder: Path, paths: Collection[Path]) -> str:
    examples = ", ".join(path.name for path in list(paths)[:_EXAMPLES])
    return f"the {len(paths)} image files in {folder} ({examples}{', ...' if len(paths) > _EXAMPLES else ''})"
