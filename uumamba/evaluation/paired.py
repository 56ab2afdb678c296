"""Two results on the same cases: differences case by case, and what can be told from them.

All differences are B - A. Cases of one patient are not independent: the interval draws whole patients, and the test
sees one number per patient, the mean of its cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from scipy.stats import wilcoxon

from uumamba.core.statistics import mean_of_known
from uumamba.evaluation.resampling import Interval, mean_interval

OVERALL = "mean over structures"
ENOUGH_FOR_A_TEST = 6
"""With five patients the smallest possible p of the two-sided signed-rank test is 0.0625."""

# Differences that are equal on paper shall be equal here, for the ranks.
_DECIMALS = 12

Scores = Mapping[str, Mapping[str, float | None]]
"""Case -> structure -> score."""


@dataclass(frozen=True)
class Pair:
    """One structure of one case in both results; None where one has no score."""

    case: str
    patient: str
    structure: str
    a: float | None
    b: float | None

    @property
    def difference(self) -> float | None:
        """B - A."""
        return None if self.a is None or self.b is None else round(self.b - self.a, _DECIMALS)

    @property
    def reason(self) -> str | None:
        """Why there is no difference; None if there is one."""
        missing = [name for name, value in (("A", self.a), ("B", self.b)) if value is None]
        return f"no value in {' and '.join(missing)}" if missing else None


@dataclass(frozen=True)
class PairedSummary:
    """One structure over the `cases` that have a difference, of `patients` patients; None where there is no number.

    `mean_a`, `mean_b` and `difference` are means over cases, `interval` is that of `difference`. `median` is the median
    over patients of their mean differences. `a_higher`, `b_higher` and `equal` count cases. `p` is of the two-sided
    signed-rank test (Wilcoxon, 1945) on the patients' mean differences, `p_holm` corrected for the number of structures
    (Holm, 1979); `p_reason` says why there is no `p`, or why it is what it is. `only_a` and `only_b` count cases left
    out as one result alone has a score.
    """

    structure: str
    cases: int
    patients: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    interval: Interval
    median: float | None
    a_higher: int
    b_higher: int
    equal: int
    p: float | None
    p_reason: str | None
    p_holm: float | None
    only_a: int
    only_b: int


def pair_scores(a: Scores, b: Scores, patients: Mapping[str, str], structures: Sequence[str]) -> tuple[Pair, ...]:
    """Every structure of every case that both results have, by case; a case without a patient is its own patient."""
    return tuple(
        Pair(case, patients.get(case, case), structure, a[case].get(structure), b[case].get(structure))
        for case in sorted(a.keys() & b.keys())
        for structure in structures
    )


def summarise_structures(pairs: Sequence[Pair]) -> tuple[PairedSummary, ...]:
    """The summary of each structure, with Holm's correction over them."""
    structures = dict.fromkeys(pair.structure for pair in pairs)
    summaries = [_summarise(name, [pair for pair in pairs if pair.structure == name]) for name in structures]
    corrected = holm([each.p for each in summaries])
    return tuple(replace(each, p_holm=p) for each, p in zip(summaries, corrected, strict=True))


def summarise_overall(pairs: Sequence[Pair]) -> PairedSummary:
    """The summary of each case's mean over the structures that have a difference."""
    return _summarise(OVERALL, case_means(pairs))


def case_means(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """One pair per case: the means over its structures that both results have a score of."""
    by_case: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_case.setdefault(pair.case, []).append(pair)
    means = []
    for case, of_it in by_case.items():
        both = [(pair.a, pair.b) for pair in of_it if pair.a is not None and pair.b is not None]
        a, b = mean_of_known(a for a, _ in both), mean_of_known(b for _, b in both)
        means.append(Pair(case, of_it[0].patient, OVERALL, a, b))
    return tuple(means)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction, in the given order; None stays None and does not count."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[place] = highest
    return corrected


def _summarise(structure: str, pairs: Sequence[Pair]) -> PairedSummary:
    complete = [
        (pair.patient, pair.a, pair.b, difference)
        for pair in pairs
        if pair.a is not None and pair.b is not None and (difference := pair.difference) is not None
    ]
    differences = [difference for *_, difference in complete]
    patients = [patient for patient, *_ in complete]
    of_patients = _patient_means(patients, differences)
    p, reason = _signed_rank(of_patients)
    return PairedSummary(
        structure,
        cases=len(complete),
        patients=len(of_patients),
        mean_a=mean_of_known(a for _, a, _, _ in complete),
        mean_b=mean_of_known(b for _, _, b, _ in complete),
        difference=round(fmean(differences), _DECIMALS) if complete else None,
        interval=mean_interval(differences, patients),
        median=float(np.median(of_patients)) if complete else None,
        a_higher=sum(difference < 0 for difference in differences),
        b_higher=sum(difference > 0 for difference in differences),
        equal=differences.count(0),
        p=p,
        p_reason=reason,
        p_holm=None,
        only_a=sum(pair.a is not None and pair.b is None for pair in pairs),
        only_b=sum(pair.b is not None and pair.a is None for pair in pairs),
    )


def _patient_means(patients: Sequence[str], differences: Sequence[float]) -> list[float]:
    of_patient: dict[str, list[float]] = {}
    for patient, difference in zip(patients, differences, strict=True):
        of_patient.setdefault(patient, []).append(difference)
    return [round(fmean(of_patient[patient]), _DECIMALS) for patient in sorted(of_patient)]


def _signed_rank(differences: Sequence[float]) -> tuple[float | None, str | None]:
    """The two-sided p; equal pairs are left out, as in Wilcoxon's paper."""
    if len(differences) < ENOUGH_FOR_A_TEST:
        return None, f"the test needs {ENOUGH_FOR_A_TEST} patients, got {len(differences)}"
    unequal = [difference for difference in differences if difference != 0]
    if not unequal:
        return 1.0, "A and B are equal in every patient"
    return float(wilcoxon(unequal).pvalue), None
