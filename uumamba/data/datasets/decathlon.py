"""A data set as the Medical Segmentation Decathlon publishes it (Antonelli et al. 2022).

<folder>/dataset.json   labels, modality, training: [{image, label}], test: [image]
         imagesTr/, labelsTr/, imagesTs/

Images of several channels are files with a fourth axis.
"""

from functools import partial
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.own_description import describe_own, read_dataset_json
from uumamba.data.datasets.spec import own_name
from uumamba.data.nnunet_dataset import read_nnunet_dataset
from uumamba.data.problem import Problem
from uumamba.imaging.files import find_images, image_stem

_LAYOUT = "give the folder that holds dataset.json, imagesTr and labelsTr"


def decathlon_dataset(folder: Path) -> Dataset:
    """The data set in a folder such as `Task04_Hippocampus`, called after the folder.

    Raises `InputError` for a folder without a `dataset.json` that can be used.
    """
    content, where = read_dataset_json(folder, _LAYOUT), folder / "dataset.json"
    if not isinstance(content.get("training"), list):
        raise InputError(f"{where}: has no list `training`; take the file that was published with the images")
    numbered = _names_first(content.get("labels"), str(where))
    read = read_nnunet_dataset({**content, "labels": numbered}, str(where))
    description = describe_own(
        own_name(folder), read.labels, read.channels, licence=read.licence, citation=read.reference
    )
    return Dataset(description, partial(_index, content=content, channels=len(read.channels)), root=folder)


def _names_first(labels: Any, where: str) -> dict[str, int]:
    """The Decathlon's {"1": "left"} as nnU-Net's {"left": 1}."""
    if not isinstance(labels, dict) or not all(str(number).isdecimal() for number in labels):
        raise InputError(f"{where}: labels must map numbers to names, got {labels!r}")
    return {str(name): int(number) for number, name in labels.items()}


def _index(folder: Path, *, content: dict[str, Any], channels: int) -> Listing:
    where, problems = folder / "dataset.json", list[Problem]()
    training = []
    for entry in content["training"]:
        image, label = (entry.get(key) for key in ("image", "label")) if isinstance(entry, dict) else (None, None)
        if not isinstance(image, str) or not isinstance(label, str):
            problems.append(Problem(where, f"training holds {entry!r}, which has no image and label", "correct it"))
        elif (case := _case(folder, image, label, channels, problems)) is not None:
            training.append(case)
    listed = list(content.get("test") or ())
    for entry in listed:
        if not isinstance(entry, str):
            problems.append(Problem(where, f"test holds {entry!r}, which is no image's path", "correct it"))
    images = [entry for entry in listed if isinstance(entry, str)]
    test = [case for image in images if (case := _case(folder, image, None, channels, problems)) is not None]
    problems += _not_listed(folder, content)
    return Listing(tuple(training), tuple(test), problems=tuple(problems))


def _case(folder: Path, image: str, label: str | None, channels: int, problems: list[Problem]) -> Case | None:
    path, reference = folder / image, None if label is None else folder / label
    missing = [each for each in (path, reference) if each is not None and not each.is_file()]
    problems += [Problem(each, "no such file, but dataset.json lists it", "restore it") for each in missing]
    if missing:
        return None
    name = image_stem(path)
    frames = tuple(range(channels)) if channels > 1 else None
    return Case(name, name, (path,) * channels, reference, frames=frames)


def _not_listed(folder: Path, content: dict[str, Any]) -> list[Problem]:
    """Files that lie there, but are not named: a slip, or left out on purpose."""
    entries = [entry for entry in content["training"] if isinstance(entry, dict)]
    named = [*(name for entry in entries for name in entry.values()), *(content.get("test") or ())]
    known = {(folder / name).resolve() for name in named if isinstance(name, str)}
    folders = [folder / name for name in ("imagesTr", "labelsTr") if (folder / name).is_dir()]
    strays = [path for each in folders for path in find_images(each) if path.resolve() not in known]
    fix = "list its case there, or leave it out"
    return [Problem(path, "is not used: dataset.json does not list its case", fix, blocks=False) for path in strays]
