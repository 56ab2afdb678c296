"""Means over cases: what is in them, what is not, and what failures do to them."""

import numpy as np
import pytest

from uumamba.evaluation.resampling import Interval, mean_interval
from uumamba.evaluation.scoring import Outcome, StructureScore
from uumamba.evaluation.summary import MetricSummary, summarise
from uumamba.metrics import METRICS

DIAGONAL_MM = 300.0
ALONE = Interval(None, None, "needs 2 patients, got 1")


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
    (structure,) = summarise(scores, {}).structures
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
    (structure,) = summarise(scores, {}).structures
    assert structure.failed == 1
    assert structure.metrics["dice"] == MetricSummary(1, 1, 0.9, None, 0.9, ALONE, 0.45)
    assert structure.metrics["hd95_mm"] == MetricSummary(1, 1, 2.0, None, 2.0, ALONE, 151.0)


def test_a_failed_case_is_no_miss_of_what_its_reference_lacks_or_cannot_tell() -> None:
    found = score("a", "LV", "found", 0.9, 2.0)
    lacking = StructureScore("b", "LV", "failed", dict.fromkeys(METRICS), None, 0.0, DIAGONAL_MM)
    unreadable = StructureScore("c", "LV", "failed", dict.fromkeys(METRICS), None, None, None)
    (structure,) = summarise([found, lacking, unreadable], {}).structures
    assert structure.failed == 2
    assert structure.metrics["dice"].mean_with_failures == 0.9


def test_every_structure_counts_once_overall() -> None:
    scores = [score(case, "LV", "found", 1.0, 0.0) for case in "abc"] + [score("a", "RV", "found", 0.5, 10.0)]
    summary = summarise([*scores, score("a", "MYO", "absent", None, None)], {})
    assert [each.structure for each in summary.structures] == ["LV", "RV", "MYO"]
    assert summary.overall["dice"].mean == pytest.approx(0.75)
    assert summary.overall["dice"].structures == 2


def test_nothing_scored_is_no_number() -> None:
    summary = summarise([score("a", "LV", "absent", None, None)], {})
    assert summary.structures[0].metrics["dice"] == MetricSummary(
        0, 0, None, None, None, Interval(None, None, "needs 2 patients, got 0"), None
    )
    assert summary.overall["dice"].mean is None


def test_the_interval_draws_patients_and_one_patient_has_none() -> None:
    values = {"a_ed": 0.9, "a_es": 0.8, "b_ed": 0.7, "b_es": 0.4, "c_ed": 0.95}
    scores = [score(case, "LV", "found", value, 1.0) for case, value in values.items()]
    owners = {case: case[0] for case in values}
    dice = summarise(scores, owners).structures[0].metrics["dice"]
    assert (dice.n, dice.patients) == (5, 3)
    assert dice.interval == mean_interval(list(values.values()), list(owners.values()))
    alone = summarise(scores[:2], owners).structures[0].metrics["dice"]
    assert (alone.patients, alone.interval) == (1, ALONE)
    cases = summarise(scores, {}).structures[0].metrics["dice"]
    assert cases.patients == 5


def test_volume_errors_with_failures_as_lost_volumes() -> None:
    def measured(case: str, predicted: float | None, true: float, outcome: Outcome) -> StructureScore:
        return StructureScore(case, "LV", outcome, dict.fromkeys(METRICS), predicted, true, DIAGONAL_MM)

    scores = [
        measured("a", 60.0, 50.0, "found"),
        measured("b", 30.0, 40.0, "found"),
        measured("c", 5.0, 0.0, "false positive"),
        measured("d", 0.0, 0.0, "absent"),
        measured("e", None, 80.0, "failed"),
    ]
    found = summarise(scores, {}).structures[0].metrics
    assert (found["volume_error_ml"].n, found["volume_error_ml"].mean) == (3, pytest.approx(5 / 3))
    assert found["absolute_volume_error_ml"].mean == pytest.approx(25 / 3)
    assert (found["volume_error_percent"].n, found["volume_error_percent"].mean) == (2, pytest.approx(-2.5))
    assert found["absolute_volume_error_percent"].mean == pytest.approx(22.5)
    assert found["volume_error_ml"].mean_with_failures == pytest.approx((5 - 80) / 4)
    assert found["absolute_volume_error_percent"].mean_with_failures == pytest.approx((45 + 100) / 3)


def test_what_is_not_labelled_counts_nowhere() -> None:
    lacking = StructureScore("b", "LV", "not labelled", dict.fromkeys(METRICS), 3.0, None, DIAGONAL_MM)
    (structure,) = summarise([score("a", "LV", "found", 0.9, 2.0), lacking], {}).structures
    assert (structure.cases, structure.found, structure.not_labelled) == (2, 1, 1)
    assert structure.metrics["dice"].mean == structure.metrics["dice"].mean_with_failures == 0.9
    assert structure.metrics["volume_error_ml"].n == 0
