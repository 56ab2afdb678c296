"""Whether one number orders cases as another does: a value, or None with the reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, spearmanr

_ENOUGH = 3


@dataclass(frozen=True)
class Ranking:
    """`value`, or None and the `reason`."""

    value: float | None
    reason: str | None = None


def spearman(one: Sequence[float], other: Sequence[float]) -> Ranking:
    """Spearman's rank correlation of pairs, in [-1, 1]; it needs three pairs, and values that differ."""
    if len(one) < _ENOUGH:
        return Ranking(None, f"needs {_ENOUGH} values, got {len(one)}")
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return Ranking(None, "all values are equal")
    return Ranking(float(spearmanr(one, other).statistic))


def auroc(scores: Sequence[float], found: Sequence[bool]) -> Ranking:
    """The probability that one to be `found` has a higher score than one that is not; ties count a half.

    It is the area under the receiver operating characteristic by Mann and Whitney's ranks: 0.5 is chance, 1 perfect.
    """
    wanted = np.asarray(found, dtype=bool)
    many, rest = int(wanted.sum()), int((~wanted).sum())
    if not many:
        return Ranking(None, "none is to be found")
    if not rest:
        return Ranking(None, "all are to be found")
    ranks = float(rankdata(scores)[wanted].sum())
    return Ranking((ranks - many * (many + 1) / 2) / (many * rest))
