"""What the program must know of a data set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.anatomy import Anatomy


@dataclass(frozen=True)
class Dataset:
    """A data set: its structures, its files, and how it may be used.

    `channels` names each image channel; as in nnU-Net "CT" is clipped to the foreground's percentiles and then
    standardised, any other name is standardised per image. `mirrored_axes` are the canonical image axes (0 = x, left to
    right; 1 = y; 2 = z) along which an image may be mirrored without becoming another anatomy's label map.
    `surface_tolerance_mm` is the tolerance of the normalised surface Dice. `index(root)` lists the training
    cases with their references, `index_test(root)` those of the official test split (empty if it is not there),
    `index_all(root)` both, whichever are there (empty if the folder is laid out differently). All raise `InputError`
    naming what is missing. `anatomy` is what post-processing may be tried with. `tubular` names
    the structures that are thin vessels: evaluation judges their centrelines too.
    """

    name: str
    title: str
    labels: LabelSet
    channels: tuple[str, ...]
    mirrored_axes: tuple[int, ...]
    surface_tolerance_mm: float
    anatomy: Anatomy
    index: Callable[[Path], tuple[Case, ...]]
    index_test: Callable[[Path], tuple[Case, ...]]
    index_all: Callable[[Path], tuple[Case, ...]]
    licence: str
    citation: str
    tubular: tuple[str, ...] = ()
