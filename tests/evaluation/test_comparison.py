"""What is said of two results, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uumamba.core.errors import InputError
from uumamba.evaluation.comparison import Comparison, compare_results
from uumamba.evaluation.resampling import Interval
from uumamba.evaluation.result import Result

CONFIGURATION = {"seed": 0, "rule": {"name": "plain"}}
OVERCLAIMS = ("significant", "outperform", "improve", "superior", "better")


def result(name: str, shift: float = 0.0, *, patients: int = 8, first: int = 0, **record: Any) -> Result:
    """Two cases a patient, in fold 0; results of other `shift` differ by it and a little noise."""
    generator = np.random.default_rng(int(1000 * shift) % 7)
    cases = [f"p{number:02d}_{phase}" for number in range(first, first + patients) for phase in "ab"]
    dice = {case: {"RV": 0.7 + shift + generator.normal(0, 0.01), "LV": 0.8 + shift} for case in cases}
    made = {"fold": "0", "split": {}, "data_hash": "abc", "configuration": CONFIGURATION} | record
    return Result(
        Path(name), dice, {case: case.split("_")[0] for case in cases}, {"0": made}, dict.fromkeys(cases, "0")
    )


def said(comparison: Comparison) -> str:
    """All words of a comparison, which claim too much nowhere."""
    words = " ".join([comparison.sentence, *comparison.warnings])
    assert not any(word in words.lower() for word in OVERCLAIMS)
    return words


def test_a_clear_difference() -> None:
    found = compare_results(result("a"), result("b", 0.05))
    assert found.sentence.startswith("Mean Dice over structures: B - A = +0.0")
    assert "8 patients, 16 cases): B is higher on these cases. One run each, so the spread between seeds" in said(found)
    assert found.warnings == ()
    assert found.settings == {}
    assert "A is higher on these cases" in said(compare_results(result("b", 0.05), result("a")))


def test_the_sentence_follows_interval_and_test_together() -> None:
    found = compare_results(result("a"), result("b", 0.05))

    def verdict(interval: Interval, p: float | None) -> str:
        return said(replace(found, overall=replace(found.overall, interval=interval, p=p)))

    around, above = Interval(-0.01, 0.02), Interval(0.01, 0.02)
    assert "p = 0.3, 8 patients, 16 cases): no difference can be told from these cases" in verdict(around, 0.3)
    assert "interval and test do not agree, so no difference" in verdict(around, 0.01)
    assert "interval and test do not agree, so no difference" in verdict(above, 0.3)
    assert "no test, 8 patients, 16 cases): too few patients to tell, it takes 6" in verdict(above, None)
    assert "(no interval, no test, " in verdict(Interval(None, None, "one"), None)


def test_the_same_result_twice() -> None:
    found = compare_results(result("a"), result("a"))
    assert "B - A = +0.0000" in said(found)
    assert "A and B are equal on every case" in found.sentence
    assert found.warnings == ("A and B are the same folder",)


def test_too_few_patients_are_never_a_difference() -> None:
    assert "too few patients to tell, it takes 6" in said(
        compare_results(result("a", patients=5), result("b", 0.1, patients=5))
    )


def test_only_common_cases_are_compared_and_the_others_are_counted() -> None:
    found = compare_results(result("a", patients=7), result("b", patients=8, first=1))
    assert (found.overall.cases, len(found.only_in_a), len(found.only_in_b)) == (12, 2, 4)
    assert "compared on the 12 cases that both have; left out are 2 of A alone (p00_a, p00_b)" in said(found)
    assert "and 4 of B alone (p07_a, p07_b, p08_a, ...)" in said(found)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(
        InputError, match=r"a and b have no case in common \(p00_a, .* against p50_a.*; compare results"
    ):
        compare_results(result("a"), result("b", first=50))
    other = result("b")
    other = replace(other, dice={case: {"aorta": 0.5} for case in other.dice})
    with pytest.raises(InputError, match=r"have no structure in common \(RV, LV against aorta\)"):
        compare_results(result("a"), other)
    stranger = replace(result("b"), patients=dict.fromkeys(result("b").dice, "q"))
    with pytest.raises(InputError, match=r"p00_a is of p00 in a, but of q in b; compare results of one data set"):
        compare_results(result("a"), stranger)


def test_a_structure_or_a_score_of_one_side_alone_is_told() -> None:
    a, b = result("a"), result("b")
    b = replace(b, dice={case: {"RV": row["RV"]} for case, row in b.dice.items()})
    assert "LV: in A alone, left out" in said(compare_results(a, b))
    c = replace(b, dice=b.dice | {"p00_a": {"RV": None}})
    assert "RV: 1 case left out that A alone has a score of; a failed case or a false" in said(compare_results(a, c))


def test_cases_without_a_patient_are_told() -> None:
    a, b = (replace(result(name), patients={}) for name in "ab")
    found = compare_results(a, b)
    assert found.overall.patients == 16
    assert "the patient of 16 cases is not known (p00_a, p00_b, p01_a, ...)" in said(found)
    assert compare_results(a, result("b")).overall.patients == 8


def test_nothing_that_both_have_is_said_so() -> None:
    a, b = result("a"), result("b")
    a = replace(a, dice={case: {"RV": None} for case in a.dice})
    assert "no case has a value in both: too few patients" in said(compare_results(a, b))
