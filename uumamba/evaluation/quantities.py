"""Every number of a score that is summarised over cases: the metrics, and the volume errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS

_FORMS = {"share": ".3f", "distance": ".2f", "count": ".1f"}


@dataclass(frozen=True)
class Quantity:
    """`value(score)` is a case's number, None if it has none; `of_failure(score)` is what a failed case counts as.

    A failed case counts as a total miss of a structure that its reference has. `title` names the quantity with its
    unit, `form` is its format on the screen, and `best` is what equal label maps give. `tubular` quantities exist for
    tubular structures alone.
    """

    title: str
    form: str
    best: float
    value: Callable[[StructureScore], float | None]
    of_failure: Callable[[StructureScore], float | None]
    tubular: bool = False


def _metric(name: str) -> Quantity:
    metric = METRICS[name]
    return Quantity(
        metric.title,
        _FORMS[metric.kind],
        metric.best,
        lambda score: score.metrics[name],
        partial(_miss_of, name=name),
        metric.tubular,
    )


def _miss_of(score: StructureScore, *, name: str) -> float | None:
    if score.image_diagonal_mm is None or not score.reference_ml:
        return None
    return METRICS[name].of_total_miss(score.image_diagonal_mm, score.reference_components or 0)


def _absolute(error: Quantity) -> Quantity:
    return replace(
        error,
        title=f"absolute {error.title}",
        value=lambda score: _without_sign(error.value(score)),
        of_failure=lambda score: _without_sign(error.of_failure(score)),
    )


def _without_sign(value: float | None) -> float | None:
    return None if value is None else abs(value)


_ERROR_ML = Quantity(
    "volume error, ml",
    ".1f",
    0.0,
    lambda score: score.volume_error_ml,
    lambda score: -score.reference_ml if score.reference_ml else None,
)
_ERROR_PERCENT = Quantity(
    "volume error, %",
    ".1f",
    0.0,
    lambda score: score.volume_error_percent,
    lambda score: -100.0 if score.reference_ml else None,
)

QUANTITIES: dict[str, Quantity] = {
    **{name: _metric(name) for name in METRICS},
    "volume_error_ml": _ERROR_ML,
    "volume_error_percent": _ERROR_PERCENT,
    "absolute_volume_error_ml": _absolute(_ERROR_ML),
    "absolute_volume_error_percent": _absolute(_ERROR_PERCENT),
}
"""By name, in the order of the tables; the sign of a volume error is that of prediction - reference."""


def quantities_for(*, tubular: bool) -> dict[str, Quantity]:
    """The `QUANTITIES` of a structure that is a thin vessel, or is not."""
    return {name: each for name, each in QUANTITIES.items() if tubular or not each.tubular}
