"""Summaries of scores over cases: per structure, and over all structures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from uumamba.core.statistics import mean_of_known
from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS


@dataclass(frozen=True)
class MetricSummary:
    """One metric over the `n` cases that have it, in the metric's unit; None where `n` does not allow it.

    `sd` is the sample standard deviation (n - 1). `mean_with_failures` also counts every failed case whose reference
    has the structure, as a total miss: the honest figure where predictions are missing; without failures it is `mean`.
    """

    n: int
    mean: float | None
    sd: float | None
    median: float | None
    mean_with_failures: float | None


@dataclass(frozen=True)
class StructureSummary:
    """How one structure fared: how often each outcome of `scoring` came, and every metric's summary."""

    structure: str
    cases: int
    found: int
    missed: int
    false_positives: int
    absent: int
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
    """Per structure, in the label set's order, and overall per metric."""

    structures: tuple[StructureSummary, ...]
    overall: Mapping[str, OverallMean]


def summarise(scores: Sequence[StructureScore]) -> Summary:
    """Summarise the scores of any number of cases."""
    by_structure: dict[str, list[StructureScore]] = {}
    for score in scores:
        by_structure.setdefault(score.structure, []).append(score)
    structures = tuple(_summarise_structure(name, of_it) for name, of_it in by_structure.items())
    return Summary(structures, {metric: _overall([each.metrics[metric] for each in structures]) for metric in METRICS})


def _summarise_structure(name: str, scores: Sequence[StructureScore]) -> StructureSummary:
    outcomes = [score.outcome for score in scores]
    return StructureSummary(
        name,
        cases=len(scores),
        found=outcomes.count("found"),
        missed=outcomes.count("missed"),
        false_positives=outcomes.count("false positive"),
        absent=outcomes.count("absent"),
        failed=outcomes.count("failed"),
        metrics={metric: _summarise_metric(metric, scores) for metric in METRICS},
    )


def _summarise_metric(metric: str, scores: Sequence[StructureScore]) -> MetricSummary:
    values = [value for score in scores if (value := score.metrics[metric]) is not None]
    misses = [
        METRICS[metric].of_total_miss(score.image_diagonal_mm)
        for score in scores
        if score.outcome == "failed" and score.image_diagonal_mm is not None and score.reference_ml
    ]
    return MetricSummary(
        n=len(values),
        mean=mean_of_known(values),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        median=float(np.median(values)) if values else None,
        mean_with_failures=mean_of_known(values + misses),
    )


def _overall(summaries: Sequence[MetricSummary]) -> OverallMean:
    return OverallMean(
        structures=sum(each.mean is not None for each in summaries),
        mean=mean_of_known(each.mean for each in summaries),
        mean_with_failures=mean_of_known(each.mean_with_failures for each in summaries),
    )
