"""A data set as nnU-Net takes it.

<folder>/dataset.json
         imagesTr/<case>_0000.nii.gz, <case>_0001.nii.gz ...   one file per channel
         labelsTr/<case>.nii.gz
         imagesTs/, labelsTs/                                  optional: a test split, its references withheld or not
         splits_final.json                                     optional: folds
"""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from uumamba.core.files import read_json
from uumamba.data.case import Case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.own_description import describe_own, read_dataset_json
from uumamba.data.datasets.spec import own_name
from uumamba.data.nnunet_dataset import read_nnunet_dataset
from uumamba.data.problem import Problem
from uumamba.data.splits import Fold
from uumamba.imaging.files import IMAGE_SUFFIXES, find_images, image_stem

_CHANNEL = re.compile(r"(.+)_(\d{4})", re.ASCII)
_LAYOUT = "give the folder that holds dataset.json, imagesTr and labelsTr"


def nnunet_raw_dataset(folder: Path) -> Dataset:
    """The data set in a folder such as `nnUNet_raw/Dataset027_ACDC`, called after the folder.

    Raises `InputError` for a folder without a `dataset.json` that can be used.
    """
    content = read_dataset_json(folder, _LAYOUT)
    read = read_nnunet_dataset(content, str(folder / "dataset.json"))
    description = describe_own(
        own_name(folder), read.labels, read.channels, licence=read.licence, citation=read.reference
    )
    suffix = str(content.get("file_ending", ".nii.gz"))
    return Dataset(description, partial(_index, channels=read.channels, suffix=suffix), root=folder)


def _index(folder: Path, *, channels: tuple[str, ...], suffix: str) -> Listing:
    problems: list[Problem] = []
    if suffix.lower() not in IMAGE_SUFFIXES:
        what = f"files end in {suffix}; read are {', '.join(IMAGE_SUFFIXES)}"
        return Listing((), problems=(Problem(folder / "dataset.json", what, "convert them"),))
    training = _cases(folder, "Tr", len(channels), problems, needs_reference=True)
    test = _cases(folder, "Ts", len(channels), problems, needs_reference=False)
    folds = _folds(folder / "splits_final.json", training, problems)
    return Listing(training, test, folds, tuple(problems))


def _cases(
    folder: Path, split: str, channels: int, problems: list[Problem], *, needs_reference: bool
) -> tuple[Case, ...]:
    images, labels = folder / f"images{split}", folder / f"labels{split}"
    if not images.is_dir():
        if needs_reference:
            problems.append(Problem(images, "no such folder", _LAYOUT))
        return ()
    references = {image_stem(path): path for path in find_images(labels)} if labels.is_dir() else {}
    cases = []
    for name, of_case in sorted(_by_case(images, channels, problems).items()):
        reference = references.pop(name, None)
        if missing := sorted(set(range(channels)) - of_case.keys()):
            what = f"channel {', '.join(f'{channel:04d}' for channel in missing)} of {name} is missing"
            problems.append(Problem(images, what, "restore it, or remove the case's other files"))
        elif reference is None and needs_reference:
            problems.append(Problem(of_case[0], "has no label map in " + labels.name, "add it, or remove the image"))
        else:
            cases.append(Case(name, name, tuple(of_case[channel] for channel in range(channels)), reference))
    problems += [
        Problem(path, f"has no image in {images.name}", "add it, or remove the label map")
        for path in references.values()
    ]
    return tuple(cases)


def _by_case(images: Path, channels: int, problems: list[Problem]) -> dict[str, dict[int, Path]]:
    """Case -> channel -> file."""
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in find_images(images):
        matched = _CHANNEL.fullmatch(image_stem(path))
        if matched is None or int(matched[2]) >= channels:
            allowed = "_0000" if channels == 1 else f"_0000 to _{channels - 1:04d}"
            problems.append(Problem(path, f"its name must end in the channel's number, {allowed}", "rename it"))
        elif int(matched[2]) in found[matched[1]]:
            other = found[matched[1]][int(matched[2])]
            problems.append(Problem(path, f"is the same case and channel as {other.name}", "remove one of them"))
        else:
            found[matched[1]][int(matched[2])] = path
    return found


def _folds(path: Path, training: tuple[Case, ...], problems: list[Problem]) -> tuple[Fold, ...] | None:
    """nnU-Net's own split, if it lies beside the images."""
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        folds = [Fold(training=tuple(sorted(each["train"])), validation=tuple(sorted(each["val"]))) for each in content]
    except (TypeError, KeyError, ValueError):
        problems.append(Problem(path, "is no list of folds with train and val", "mend it, or remove it"))
        return None
    if not all(fold.training and fold.validation for fold in folds) or not folds:
        problems.append(Problem(path, "has no fold, or one without cases on both sides", "mend it, or remove it"))
        return None
    named = {name for fold in folds for name in (*fold.training, *fold.validation)}
    if unknown := sorted(named - {case.name for case in training}):
        problems.append(Problem(path, f"names {unknown[0]}, which is no training case", "mend it, or remove it"))
        return None
    return tuple(folds)
