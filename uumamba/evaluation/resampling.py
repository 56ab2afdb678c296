"""Intervals of a mean over cases, where the cases of one patient belong together.

Patients are drawn with replacement, each with all of its cases (the cluster bootstrap), since two images of one heart
tell less than images of two hearts. The interval is bias-corrected and accelerated (BCa; Efron, Journal of the American
Statistical Association 82, 1987).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

CONFIDENCE = 0.95
RESAMPLES = 9999
SEED = 0
_NO_VARIATION = 1e-12
_DECIMALS = 12


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in the values' unit, or None on both sides with the reason."""

    low: float | None
    high: float | None
    reason: str | None = None


def mean_interval(
    values: Sequence[float], patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval:
    """The interval of the mean of `values`, one per case; `patients` names the patient of each.

    The order of the cases does not matter. From two patients on there is an interval, but with fewer than some ten it
    is too narrow.
    """
    names, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    if len(names) < 2:
        return Interval(None, None, f"needs 2 patients, got {len(names)}")
    numbers = np.asarray(values, dtype=float)
    sums, counts = np.bincount(patient, weights=numbers), np.bincount(patient)
    if np.ptp(sums / counts) < _NO_VARIATION:
        mean = round(float(numbers.mean()), _DECIMALS)
        return Interval(mean, mean)

    def mean_of(drawn: NDArray[np.intp], axis: int = -1) -> NDArray[np.float64]:
        """The mean over the cases of the drawn patients, whose numbers lie along `axis`."""
        mean: NDArray[np.float64] = sums[drawn].sum(axis) / counts[drawn].sum(axis)
        return mean

    found = bootstrap(
        (np.arange(len(names)),),
        mean_of,
        n_resamples=resamples,
        confidence_level=CONFIDENCE,
        method="BCa",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(round(float(found.low), _DECIMALS), round(float(found.high), _DECIMALS))


def describe_method() -> dict[str, object]:
    """How the intervals were made, for the files that hold some."""
    return {"method": "BCa bootstrap over patients", "confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": SEED}
