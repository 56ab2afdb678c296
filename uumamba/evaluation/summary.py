"""Summaries of scores over cases: per structure, and over all structures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from uumamba.core.statistics import mean_of_known
from uumamba.evaluation.quantities import QUANTITIES, quantities_for
from uumamba.evaluation.resampling import Interval, mean_interval
from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS

ENOUGH_PATIENTS = 2
"""No interval with fewer: a mean over one patient tells nothing of others."""


@dataclass(frozen=True)
class MetricSummary:
    """One quantity over the `n` cases of `patients` patients that have it, in its unit; None where there is no number.

    `sd` is the sample standard deviation (n - 1), `interval` that of the mean. `mean_with_failures` also counts every
    failed case whose reference has the structure, as a total miss: the honest figure where predictions are missing;
    without failures it is `mean`.
    """

    n: int
    patients: int
    mean: float | None
    sd: float | None
    median: float | None
    interval: Interval
    mean_with_failures: float | None


@dataclass(frozen=True)
class StructureSummary:
    """How one structure fared: how often each outcome of `scoring` came, and the summary of its `quantities_for`."""

    structure: str
    cases: int
    found: int
    missed: int
    false_positives: int
    absent: int
    not_labelled: int
    failed: int
    metrics: Mapping[str, MetricSummary]


@dataclass(frozen=True)
class OverallMean:
    """The mean over structures of their means, each structure counting once; `structures` of them have a mean."""

    structures: int
    mean: float | None
    mean_with_failures: float | None


@dataclass(frozen=True)
class Summary:
    """Per structure, in the labels' order, and overall for each of `METRICS` that a structure has."""

    structures: tuple[StructureSummary, ...]
    overall: Mapping[str, OverallMean]


def summarise(scores: Sequence[StructureScore], patients: Mapping[str, str]) -> Summary:
    """Summarise the scores of any number of cases; a case that `patients` does not name is a patient of its own."""
    structures = summarise_structures(scores, patients)
    found = {name: [each.metrics[name] for each in structures if name in each.metrics] for name in METRICS}
    return Summary(structures, {name: _overall(of_it) for name, of_it in found.items() if of_it})


def summarise_structures(
    scores: Sequence[StructureScore], patients: Mapping[str, str], *, enough_patients: int = ENOUGH_PATIENTS
) -> tuple[StructureSummary, ...]:
    """The summary of each structure; with fewer than `enough_patients` a mean has no interval."""
    by_structure: dict[str, list[StructureScore]] = {}
    for score in scores:
        by_structure.setdefault(score.structure, []).append(score)
    return tuple(_summarise_structure(name, of_it, patients, enough_patients) for name, of_it in by_structure.items())


def _summarise_structure(
    name: str, scores: Sequence[StructureScore], patients: Mapping[str, str], enough_patients: int
) -> StructureSummary:
    outcomes = [score.outcome for score in scores]
    return StructureSummary(
        name,
        cases=len(scores),
        found=outcomes.count("found"),
        missed=outcomes.count("missed"),
        false_positives=outcomes.count("false positive"),
        absent=outcomes.count("absent"),
        not_labelled=outcomes.count("not labelled"),
        failed=outcomes.count("failed"),
        metrics={
            key: _summarise_quantity(key, scores, patients, enough_patients)
            for key in quantities_for(tubular=any(score.tubular for score in scores))
        },
    )


def _summarise_quantity(
    key: str, scores: Sequence[StructureScore], patients: Mapping[str, str], enough_patients: int
) -> MetricSummary:
    quantity = QUANTITIES[key]
    known = [(score.case, value) for score in scores if (value := quantity.value(score)) is not None]
    values = [value for _, value in known]
    owners = [patients.get(case, case) for case, _ in known]
    lost = [quantity.of_failure(score) for score in scores if score.outcome == "failed"]
    return MetricSummary(
        n=len(values),
        patients=len(set(owners)),
        mean=mean_of_known(values),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        median=float(np.median(values)) if values else None,
        interval=_interval(values, owners, enough_patients),
        mean_with_failures=mean_of_known([*values, *lost]),
    )


def _interval(values: Sequence[float], owners: Sequence[str], enough_patients: int) -> Interval:
    found = len(set(owners))
    if found < enough_patients:
        return Interval(None, None, f"needs {enough_patients} patients, got {found}")
    return mean_interval(values, owners)


def _overall(summaries: Sequence[MetricSummary]) -> OverallMean:
    return OverallMean(
        structures=sum(each.mean is not None for each in summaries),
        mean=mean_of_known(each.mean for each in summaries),
        mean_with_failures=mean_of_known(each.mean_with_failures for each in summaries),
    )
