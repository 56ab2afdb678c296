"""What a measured mask gives: rows for the table, a document, a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from uumamba.evaluation.table import Cell
from uumamba.imaging.image import FloatArray, Image
from uumamba.measures import Measurement

Names = Mapping[str, Sequence[int]]
"""Structures with their numbers in the label map."""


@dataclass(frozen=True, eq=False)
class MeasuredCase:
    """`rows` by column, one for each structure; `document` is JSON; `figure` shows it."""

    rows: Sequence[Mapping[str, Cell]]
    document: Mapping[str, Any]
    figure: Figure


def measured_cell(measure: Measurement) -> dict[str, Any]:
    """A measure as JSON: a value, or None with the reason."""
    return {"value": _rounded(measure.value), "reason": measure.reason}


def reasons_of(measures: Mapping[str, Measurement]) -> str:
    """Why values are missing, each reason once."""
    return "; ".join(dict.fromkeys(measure.reason for measure in measures.values() if measure.reason))


def world_mm(image: Image, places_mm: FloatArray) -> FloatArray:
    """Positions (n, 3) on an image's grid (index times spacing) in the patient: RAS, in mm."""
    indices = np.atleast_2d(places_mm) / np.asarray(image.spacing_mm)
    world: FloatArray = indices @ image.affine[:3, :3].T + image.affine[:3, 3]
    return world


def rounded(values: Any) -> Any:
    """Numbers of an array, however deep, to a thousandth: lists for JSON."""
    return np.round(np.asarray(values, dtype=float), 3).tolist()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
