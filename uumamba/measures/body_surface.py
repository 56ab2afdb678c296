"""Body surface area, and measures of the heart divided by it."""

from collections.abc import Mapping

import numpy as np

from uumamba.measures.measurement import Measurement
from uumamba.measures.ventricle import MEASURES

HEIGHTS_CM, WEIGHTS_KG = (30.0, 250.0), (1.0, 400.0)
"""Heights and weights of people, from newborns on; beyond, the unit is wrong, or the number."""

INDEXED: dict[str, str] = {f"{name}_per_m2": name for name in MEASURES if name.endswith(("_ml", "_g"))}
"""The measures that grow with the body, per square metre: `lv_edv_ml_per_m2` is of `lv_edv_ml`."""


def body_surface_m2(height_cm: float | None, weight_kg: float | None) -> Measurement:
    """Body surface area in m2 by Mosteller (N Engl J Med 1987; 317: 1098): sqrt(height weight / 3600)."""
    if height_cm is None or weight_kg is None:
        absent = [name for name, value in (("height", height_cm), ("weight", weight_kg)) if value is None]
        verb = "is" if len(absent) == 1 else "are"
        return Measurement(None, f"the patient's {' and '.join(absent)} {verb} not given")
    for name, value, unit, (low, high) in (
        ("height", height_cm, "cm", HEIGHTS_CM),
        ("weight", weight_kg, "kg", WEIGHTS_KG),
    ):
        if np.isnan(value):
            return Measurement(None, f"the patient's {name} is not a number")
        if not low <= value <= high:
            return Measurement(None, f"the patient's {name} of {value:g} {unit} is not between {low:g} and {high:g}")
    return Measurement(float(np.sqrt(height_cm * weight_kg / 3600)))


def index_measures(measures: Mapping[str, Measurement], surface_m2: Measurement) -> dict[str, Measurement]:
    """Every measure of `INDEXED`: a value divided by the body surface, or None with a reason."""
    return {indexed: _divide(measures[name], surface_m2) for indexed, name in INDEXED.items()}


def title_of(measure: str) -> str:
    """The title, with its unit, of a measure of `MEASURES` or `INDEXED`."""
    if measure in MEASURES:
        return MEASURES[measure].title
    name, _, unit = MEASURES[INDEXED[measure]].title.rpartition(", ")
    return f"{name} index, {unit}/m2"


def _divide(measure: Measurement, surface_m2: Measurement) -> Measurement:
    if measure.value is None or surface_m2.value is None:
        return Measurement(None, measure.reason or surface_m2.reason)
    return Measurement(measure.value / surface_m2.value)
