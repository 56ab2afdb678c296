"""The description of anybody's data: what its file says, and what is assumed where it says nothing."""

from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.data.datasets.anatomy import unknown_anatomy
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.sides import mirrored_axes_of

USUAL_TOLERANCE_MM = 1.0


def describe_own(
    name: str, labels: LabelSet, channels: tuple[str, ...], *, licence: str = "", citation: str = ""
) -> DatasetDescription:
    """A data set of which only labels and channels are known; it is mirrored along x unless its labels have sides."""
    return DatasetDescription(
        name=name,
        title=name,
        labels=labels,
        channels=channels,
        mirrored_axes=mirrored_axes_of(labels.names),
        surface_tolerance_mm=USUAL_TOLERANCE_MM,
        anatomy=unknown_anatomy(labels),
        licence=licence or "unknown",
        citation=citation,
    )


def read_dataset_json(folder: Path, advice: str) -> dict[str, Any]:
    """The object in a folder's `dataset.json`; raises `InputError`, with `advice`, if folder or file are not there."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {advice}")
    where = folder / "dataset.json"
    if not where.is_file():
        raise InputError(f"{where}: no such file, but it names labels and channels; {advice}")
    content = read_json(where)
    if not isinstance(content, dict):
        raise InputError(f"{where}: must hold an object, got {type(content).__name__}; write it as nnU-Net asks")
    return content
