"""Paired differences: laws, the test against scipy, and what is left out."""

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import wilcoxon

from uumamba.evaluation.paired import (
    OVERALL,
    Pair,
    PairedSummary,
    case_means,
    holm,
    pair_scores,
    summarise_overall,
    summarise_structures,
)
from uumamba.evaluation.resampling import Interval

STRUCTURES = ("RV", "LV")
Table = dict[str, dict[str, float | None]]


def results(patients: int, *, shift: float = 0.0, seed: int = 3) -> tuple[Table, Table, dict[str, str]]:
    """A and B of two cases a patient; B differs from A by noise around `shift`."""
    generator = np.random.default_rng(seed)
    a: Table = {}
    b: Table = {}
    owner = {}
    for number in range(patients):
        for phase in ("ED", "ES"):
            case = f"p{number:02d}_{phase}"
            owner[case] = f"p{number:02d}"
            a[case] = {name: float(generator.uniform(0.5, 0.9)) for name in STRUCTURES}
            b[case] = {name: value + shift + float(generator.normal(scale=0.02)) for name, value in a[case].items()}
    return a, b, owner


def summaries(a: Table, b: Table, owner: Mapping[str, str]) -> list[PairedSummary]:
    pairs = pair_scores(a, b, owner, STRUCTURES)
    return [*summarise_structures(pairs), summarise_overall(pairs)]


def test_swapping_a_and_b_flips_every_sign() -> None:
    a, b, owner = results(12, shift=0.01)
    for one, other in zip(summaries(a, b, owner), summaries(b, a, owner), strict=True):
        assert one.difference == -other.difference
        assert one.median == -other.median
        assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
        assert (one.mean_a, one.a_higher, one.p, one.p_holm) == (other.mean_b, other.b_higher, other.p, other.p_holm)


def test_a_constant_more_shifts_the_differences_by_it() -> None:
    a, b, owner = results(12)
    more: Table = {case: {name: value + 0.05 for name, value in row.items()} for case, row in b.items()}
    for one, other in zip(summaries(a, b, owner), summaries(a, more, owner), strict=True):
        assert other.difference == pytest.approx(one.difference + 0.05)
        # Draws whose mean is the sample's own fall to either side of it by rounding, which the bias correction counts.
        assert other.interval.low == pytest.approx(one.interval.low + 0.05, abs=1e-5)
        assert other.interval.high == pytest.approx(one.interval.high + 0.05, abs=1e-5)


def test_identical_results_differ_by_zero_and_nothing_breaks() -> None:
    a, _, owner = results(8)
    for each in summaries(a, a, owner):
        assert (each.difference, each.median, each.interval) == (0.0, 0.0, Interval(0.0, 0.0))
        assert (each.a_higher, each.b_higher, each.equal) == (0, 0, 16)
        assert (each.p, each.p_reason) == (1.0, "A and B are equal in every patient")


def test_the_test_sees_one_number_a_patient() -> None:
    a, b, owner = results(10)
    pairs = pair_scores(a, b, owner, STRUCTURES)
    differences = np.array([pair.difference for pair in pairs if pair.structure == "LV"]).reshape(10, 2)
    _, left, overall = summaries(a, b, owner)
    assert left.p == pytest.approx(wilcoxon(differences.mean(1)).pvalue)
    assert left.difference == pytest.approx(differences.mean())
    assert left.median == pytest.approx(np.median(differences.mean(1)))
    assert (left.cases, left.patients, overall.cases, overall.structure) == (20, 10, 20, OVERALL)
    assert left.interval != Interval(None, None)


def test_few_patients_have_an_interval_but_no_test() -> None:
    for each in summaries(*results(5)):
        assert each.interval.low is not None
        assert (each.p, each.p_holm, each.p_reason) == (None, None, "the test needs 6 patients, got 5")
    for each in summaries(*results(1)):
        assert each.interval == Interval(None, None, "needs 2 patients, got 1")


def test_without_patients_every_case_is_its_own() -> None:
    a, b, _ = results(5)
    assert [each.patients for each in summaries(a, b, {})] == [10, 10, 10]


def test_a_score_that_one_side_lacks_is_left_out_and_counted() -> None:
    a, b, owner = results(6)
    a["p00_ED"]["LV"] = None
    b["p01_ED"]["LV"] = None
    b["p02_ED"]["LV"] = a["p02_ED"]["LV"] = None
    pairs = pair_scores(a, b, owner, STRUCTURES)
    reasons = {pair.case: pair.reason for pair in pairs if pair.reason}
    assert reasons == {
        "p00_ED": "no value in A",
        "p01_ED": "no value in B",
        "p02_ED": "no value in A and B",
    }
    right, left = summarise_structures(pairs)
    assert (left.cases, left.only_a, left.only_b) == (9, 1, 1)
    assert (right.cases, right.only_a, right.only_b) == (12, 0, 0)
    mean = next(pair for pair in case_means(pairs) if pair.case == "p00_ED")
    assert (mean.a, mean.b) == (a["p00_ED"]["RV"], b["p00_ED"]["RV"])


def test_cases_of_one_side_are_no_pairs() -> None:
    a, b, owner = results(3)
    del a["p00_ED"], b["p01_ES"]
    assert {pair.case for pair in pair_scores(a, b, owner, STRUCTURES)} == {"p00_ES", "p01_ED", "p02_ED", "p02_ES"}


def test_nothing_in_both_is_no_number() -> None:
    nothing = (Pair("case", "patient", "LV", None, 0.5),)
    (each,) = summarise_structures(nothing)
    assert (each.cases, each.mean_a, each.difference, each.median, each.p, each.only_b) == (
        0,
        None,
        None,
        None,
        None,
        1,
    )
    assert summarise_overall(nothing).difference is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.8]) == [1.0, None, 1.0]
    assert holm([None]) == [None]
    assert holm([]) == []
