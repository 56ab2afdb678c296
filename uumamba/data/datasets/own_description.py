"""The description of anybody's data: what its file says, and what is assumed where it says nothing."""

from pathlib import Path

from uumamba.core.errors import InputError
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


def require_folder(folder: Path, advice: str) -> None:
    """Raise `InputError` if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {advice}")
