"""Means over cases: what is in them, what is not, and what failures do to them."""

import numpy as np
import pytest

from uumamba.evaluation.scoring import Outcome, StructureScore
from uumamba.evaluation.summary import MetricSummary, summarise
from uumamba.metrics import METRICS

DIAGONAL_MM = 300.0


def score(case: str, structure: str, outcome: Outcome, dice: float | None, hd95_mm: float | None) -> StructureScore:
    metrics = dict.fromkeys(METRICS) | {"dice": dice, "hd95_mm": hd95_mm}
    reference_ml = 0.0 if outcome in ("absent", "false positive") else 50.0
    return StructureScore(case, structure, outcome, metrics, None, reference_ml, DIAGONAL_MM)


def test_statistics_and_counts() -> None:
    scores = [
        score("a", "LV", "found", 0.9, 2.0),
        score("b", "LV", "found", 0.8, 4.0),
        score("c", "LV", "missed", 0.0, DIAGONAL_MM),
        score("d", "LV", "absent", None, None),
        score("e", "LV", "false positive", 0.0, DIAGONAL_MM),
    ]
    (structure,) = summarise(scores).structures
    counts = (structure.cases, structure.found, structure.missed, structure.false_positives, structure.absent)
    assert counts == (5, 2, 1, 1, 1)
    assert structure.failed == 0
    dice = structure.metrics["dice"]
    values = [0.9, 0.8, 0.0, 0.0]
    assert dice.n == 4
    assert dice.mean == dice.mean_with_failures == pytest.approx(np.mean(values))
    assert dice.sd == pytest.approx(np.std(values, ddof=1))
    assert dice.median == pytest.approx(0.4)


def test_a_failed_case_counts_as_a_total_miss_in_the_second_mean_only() -> None:
    scores = [score("a", "LV", "found", 0.9, 2.0), score("b", "LV", "failed", None, None)]
    (structure,) = summarise(scores).structures
    assert structure.failed == 1
    assert structure.metrics["dice"] == MetricSummary(1, 0.9, None, 0.9, 0.45)
    assert structure.metrics["hd95_mm"] == MetricSummary(1, 2.0, None, 2.0, 151.0)


def test_a_failed_case_is_no_miss_of_what_its_reference_lacks_or_cannot_tell() -> None:
    found = score("a", "LV", "found", 0.9, 2.0)
    lacking = StructureScore("b", "LV", "failed", dict.fromkeys(METRICS), None, 0.0, DIAGONAL_MM)
    unreadable = StructureScore("c", "LV", "failed", dict.fromkeys(METRICS), None, None, None)
    (structure,) = summarise([found, lacking, unreadable]).structures
    assert structure.failed == 2
    assert structure.metrics["dice"].mean_with_failures == 0.9


def test_every_structure_counts_once_overall() -> None:
    scores = [score(case, "LV", "found", 1.0, 0.0) for case in "abc"] + [score("a", "RV", "found", 0.5, 10.0)]
    summary = summarise([*scores, score("a", "MYO", "absent", None, None)])
    assert [each.structure for each in summary.structures] == ["LV", "RV", "MYO"]
    assert summary.overall["dice"].mean == pytest.approx(0.75)
    assert summary.overall["dice"].structures == 2


def test_nothing_scored_is_no_number() -> None:
    summary = summarise([score("a", "LV", "absent", None, None)])
    assert summary.structures[0].metrics["dice"] == MetricSummary(0, None, None, None, None)
    assert summary.overall["dice"].mean is None
