"""Every number of a score that is summarised over cases: the metrics, and the volume errors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS


@dataclass(frozen=True)
class Quantity:
    """`value(score)` is a case's number, None if it has none; `of_failure(score)` is what a failed case counts as.

    A failed case counts as a total miss of a structure that its reference has. `title` names the quantity with its
    unit, `form` is its format on the screen, and `best` is what equal label maps give.
    """

    title: str
    form: str
    best: float
    value: Callable[[StructureScore], float | None]
    of_failure: Callable[[StructureScore], float | None]


def _metric(name: str) -> Quantity:
    metric = METRICS[name]
    form = ".2f" if name.endswith("_mm") else ".3f"
    return Quantity(metric.title, form, metric.best, partial(_metric_of, name=name), partial(_miss_of, name=name))


def _metric_of(score: StructureScore, *, name: str) -> float | None:
    return score.metrics[name]


def _miss_of(score: StructureScore, *, name: str) -> float | None:
    if score.image_diagonal_mm is None or not score.reference_ml:
        return None
    return METRICS[name].of_total_miss(score.image_diagonal_mm)


def _lost_ml(score: StructureScore) -> float | None:
    return -score.reference_ml if score.reference_ml else None


def _lost_percent(score: StructureScore) -> float | None:
    return -100.0 if score.reference_ml else None


def _volume_error(unit: str, error: str, lost: Callable[[StructureScore], float | None], absolute: bool) -> Quantity:
    title = f"{'absolute ' if absolute else ''}volume error, {unit}"

    def value(score: StructureScore) -> float | None:
        found: float | None = getattr(score, error)
        return abs(found) if absolute and found is not None else found

    def of_failure(score: StructureScore) -> float | None:
        found = lost(score)
        return abs(found) if absolute and found is not None else found

    return Quantity(title, ".1f", 0.0, value, of_failure)


QUANTITIES: dict[str, Quantity] = {
    **{name: _metric(name) for name in METRICS},
    "volume_error_ml": _volume_error("ml", "volume_error_ml", _lost_ml, absolute=False),
    "volume_error_percent": _volume_error("%", "volume_error_percent", _lost_percent, absolute=False),
    "absolute_volume_error_ml": _volume_error("ml", "volume_error_ml", _lost_ml, absolute=True),
    "absolute_volume_error_percent": _volume_error("%", "volume_error_percent", _lost_percent, absolute=True),
}
"""By name, in the order of the tables; the sign of a volume error is that of prediction - reference."""
