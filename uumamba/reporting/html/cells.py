"""Numbers and texts as cells: how many decimals a column has, and why a value is missing."""

import math

from uumamba.measures import MEASURES
from uumamba.metrics import METRICS
from uumamba.reporting.html.page import Cell, Mark

NONE = "–"
_TITLES = {
    "prediction_ml": "predicted, ml",
    "reference_ml": "reference, ml",
    "difference_ml": "volume difference, ml",
    "volume_error_ml": "volume error, ml",
    "image_diagonal_mm": "diagonal, mm",
    "nsd_tolerance_mm": "NSD tolerance, mm",
}
_UNITS = {"mm": "mm", "ml": "ml", "g": "g", "percent": "%", "seconds": "s", "gb": "GB"}
_FORMS = {
    "prediction": ".1f",
    "reference": ".1f",
    "difference": ".1f",
    "mm": ".1f",
    "ml": ".1f",
    "g": ".1f",
    "percent": ".1f",
    "seconds": ".1f",
    "gb": ".1f",
}


def title_of(column: str) -> str:
    """A column's heading: a metric's or measure's title, or its own name with the unit apart."""
    if column in METRICS:
        return METRICS[column].title
    if column in MEASURES:
        return MEASURES[column].title
    if column in _TITLES:
        return _TITLES[column]
    name, _, unit = column.rpartition("_")
    return f"{name.replace('_', ' ')}, {_UNITS[unit]}" if name and unit in _UNITS else column.replace("_", " ")


def form_of(column: str) -> str:
    """Python's format for a column's numbers: one decimal with a unit, else three."""
    return _FORMS.get(column.rpartition("_")[2], ".3f")


def number_of(text: str) -> float | None:
    """The finite number that a text is; None if it is another text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def number_cell(value: float | None, form: str, *, detail: str = "", mark: Mark = "") -> Cell:
    """A number, or a dash; `detail` then says why there is none."""
    if value is None:
        return Cell(NONE, None, detail, "none")
    return Cell(f"{value:{form}}", value, detail, mark)


def text_cell(text: str, *, mark: Mark = "") -> Cell:
    """A text, or nothing."""
    return Cell(text, mark=mark)
