"""One label map of a heart measured: volumes of cavities and myocardium, and its mass."""

import numpy as np

from uumamba.core.errors import InputError
from uumamba.evaluation.table import Cell
from uumamba.imaging.image import Image
from uumamba.measures import Measurement, incompleteness, volume_measurement, volume_ml
from uumamba.measures.ventricle import myocardial_mass_g
from uumamba.reporting.chambers import chambers_figure
from uumamba.workflows.measured_case import MeasuredCase, Names, measured_cell, reasons_of

CHAMBERS = ("LV", "MYO", "RV")
VENTRICLE_COLUMNS = ("volume_ml", "volume_in_view_ml", "mass_g")


def measure_ventricles(image: Image, names: Names, *, title: str) -> MeasuredCase:
    """Measure the structures that `names` names in a label map (canonical): LV and RV are cavities, MYO has a mass.

    Columns are `VENTRICLE_COLUMNS` and `structure`, `status`, `reasons`. Raises `InputError` if none of them is named.
    """
    if not set(names) & set(CHAMBERS):
        raise InputError(f"no structure is called {', '.join(CHAMBERS)}, got {', '.join(names)}; name them by --labels")
    rows: list[dict[str, Cell]] = []
    parts = []
    for name, numbers in names.items():
        mask = np.isin(image.data, list(numbers))
        measures = _measures(name, mask, image)
        values = {key: measure.value for key, measure in measures.items()}
        rows.append({"structure": name, "status": "ok", **values, "reasons": reasons_of(measures)})
        parts.append({"name": name, "measures": {key: measured_cell(measure) for key, measure in measures.items()}})
    volumes = {name: row["volume_in_view_ml"] for name, row in zip(names, rows, strict=True)}
    figure = chambers_figure(image.data, image.spacing_mm, names, title=_title(title, volumes))
    return MeasuredCase(rows, {"parts": parts}, figure)


def _measures(name: str, mask: np.ndarray, image: Image) -> dict[str, Measurement]:
    seen = volume_measurement(volume_ml(mask, image.spacing_mm), name)
    reason = incompleteness(mask, image.spacing_mm, name)
    volume = seen if reason is None else Measurement(None, reason)
    measures = {"volume_ml": volume, "volume_in_view_ml": seen}
    return measures | ({"mass_g": myocardial_mass_g(volume)} if name == "MYO" else {})


def _title(title: str, volumes: dict[str, Cell]) -> str:
    told = [f"{name} {value:.1f} ml" for name, value in volumes.items() if isinstance(value, float)]
    return "\n".join([title, ", ".join(told) or "no structure is there"])
