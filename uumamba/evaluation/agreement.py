"""Agreement of measured numbers with their references (Bland and Altman, Lancet 1986)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ENOUGH_FOR_CORRELATION = 3
_LIMITS = 1.96
_NO_VARIATION = 1e-9


@dataclass(frozen=True)
class Agreement:
    """Agreement of `n` pairs, in the measure's unit; None where `n` does not allow a number.

    `bias` is the mean of prediction - reference, `sd` the sample standard deviation (n - 1) of these differences,
    `lower` and `upper` the 95 % limits of agreement, bias -+ 1.96 sd. `pearson` is the correlation in [-1, 1], or None
    with `pearson_reason`.
    """

    n: int
    bias: float | None
    sd: float | None
    lower: float | None
    upper: float | None
    mean_absolute_error: float | None
    pearson: float | None
    pearson_reason: str | None


def agreement(predictions: Sequence[float], references: Sequence[float]) -> Agreement:
    """Compare measurements of the same patients, in the same order and unit."""
    predicted, true = np.asarray(predictions, dtype=float), np.asarray(references, dtype=float)
    difference = predicted - true
    n = len(difference)
    bias = float(difference.mean()) if n else None
    sd = float(difference.std(ddof=1)) if n > 1 else None
    limits = (bias - _LIMITS * sd, bias + _LIMITS * sd) if bias is not None and sd is not None else (None, None)
    pearson, reason = _pearson(predicted, true)
    return Agreement(
        n=n,
        bias=bias,
        sd=sd,
        lower=limits[0],
        upper=limits[1],
        mean_absolute_error=float(np.abs(difference).mean()) if n else None,
        pearson=pearson,
        pearson_reason=reason,
    )


def _pearson(predicted: np.ndarray, true: np.ndarray) -> tuple[float | None, str | None]:
    if len(true) < _ENOUGH_FOR_CORRELATION:
        return None, f"needs {_ENOUGH_FOR_CORRELATION} patients, got {len(true)}"
    if min(np.ptp(predicted), np.ptp(true)) < _NO_VARIATION:
        return None, "does not vary between patients"
    return float(np.corrcoef(predicted, true)[0, 1]), None
