"""What the program must know of a data set beside its files."""

from pathlib import Path

from pydantic import PositiveFloat, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_text
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings, first_problem
from uumamba.data.datasets.anatomy import Anatomy


class DatasetDescription(Settings):
    """A data set's structures, channels and terms of use.

    `channels` names each image channel; as in nnU-Net "CT" is clipped to the foreground's percentiles and then
    standardised, any other name is standardised per image. `mirrored_axes` are the canonical image axes (0 = x, left to
    right; 1 = y; 2 = z) along which an image may be mirrored without becoming another anatomy's label map.
    `surface_tolerance_mm` is the tolerance of the normalised surface Dice. `anatomy` is what post-processing may be
    tried with. `tubular` names the structures that are thin vessels: evaluation judges their centrelines too.
    """

    name: str
    title: str
    labels: LabelSet
    channels: tuple[str, ...]
    mirrored_axes: tuple[int, ...]
    surface_tolerance_mm: PositiveFloat
    anatomy: Anatomy
    licence: str
    citation: str
    tubular: tuple[str, ...] = ()


def write_description(path: Path, description: DatasetDescription) -> None:
    """Write a description as JSON."""
    write_text(path, description.model_dump_json(indent=2) + "\n")


def read_description(path: Path) -> DatasetDescription:
    """Read a description; raises `InputError` if the file is missing or is none."""
    try:
        return DatasetDescription.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(
            f"{path}: not a data set's description ({first_problem(error)}); run `uumamba preprocess` again"
        ) from None
