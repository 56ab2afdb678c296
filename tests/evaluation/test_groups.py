"""Groups of cases: each case once per column, and no interval for a few."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uumamba.evaluation.case_facts import CaseFacts
from uumamba.evaluation.groups import NOT_GIVEN, group_columns, summarise_groups
from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS


def score(case: str, structure: str, dice: float) -> StructureScore:
    return StructureScore(case, structure, "found", dict.fromkeys(METRICS) | {"dice": dice}, 1.0, 1.0, 300.0)


def facts(values: dict[str, str]) -> list[CaseFacts]:
    return [CaseFacts(case, None, {"vendor": value, "age": 61, "sex": None}) for case, value in values.items()]


def test_texts_make_columns_and_what_is_not_given_is_a_group() -> None:
    known = [*facts({"a": "GE", "b": "", "c": "Philips", "left out": "GE"}), CaseFacts("d", None, {"centre": "X"})]
    columns, without = group_columns(known, ["a", "b", "c", "d"])
    assert columns == {
        "vendor": {"a": "GE", "b": NOT_GIVEN, "c": "Philips", "d": NOT_GIVEN},
        "centre": {"a": NOT_GIVEN, "b": NOT_GIVEN, "c": NOT_GIVEN, "d": "X"},
    }
    assert without == ()


def test_a_column_with_many_values_makes_no_groups() -> None:
    names = [f"case{number}" for number in range(21)]
    assert group_columns(facts({name: name for name in names}), names) == ({}, ("vendor",))
    columns, without = group_columns(facts({name: name for name in names}), names[:20])
    assert (list(columns), without) == (["vendor"], ())


@given(st.lists(st.sampled_from(["GE", "Philips", "Siemens", ""]), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_the_groups_of_a_column_hold_every_case_once(vendors: list[str]) -> None:
    values = {f"case{number}": vendor for number, vendor in enumerate(vendors)}
    columns, _ = group_columns(facts(values), values)
    scores = [score(case, structure, 0.5) for case in values for structure in ("RV", "LV")]
    rows = summarise_groups(scores, columns, {})
    for structure in ("RV", "LV"):
        of_it = [row for row in rows if row.summary.structure == structure]
        assert sum(row.summary.cases for row in of_it) == (len(values) if columns else 0)
        assert len({row.group for row in of_it}) == len(of_it)


def test_a_row_per_group_and_structure_with_an_interval_from_three_patients_on() -> None:
    dice = {"a1": 0.9, "a2": 0.8, "b": 0.7, "c": 0.6, "d": 0.5}
    patients = {case: case[0] for case in dice}
    vendors = {"a1": "GE", "a2": "GE", "b": "GE", "c": "GE", "d": "Philips"}
    columns, _ = group_columns(facts(vendors), dice)
    scores = [score(case, "LV", value) for case, value in dice.items()]
    many, few = summarise_groups(scores, columns, patients)
    assert (many.column, many.group, few.group) == ("vendor", "GE", "Philips")
    found = many.summary.metrics["dice"]
    assert (found.n, found.patients, found.mean) == (4, 3, pytest.approx(0.75))
    assert found.interval.low is not None
    alone = few.summary.metrics["dice"]
    assert (alone.mean, alone.interval.low, alone.interval.reason) == (0.5, None, "needs 3 patients, got 1")
    without_b = summarise_groups(scores[:2] + scores[3:], columns, patients)
    assert without_b[0].summary.metrics["dice"].interval.reason == "needs 3 patients, got 2"


def test_the_group_of_those_without_comes_last() -> None:
    columns, _ = group_columns(facts({"a": "zeta", "b": "", "c": "alpha"}), ["a", "b", "c"])
    rows = summarise_groups([score(case, "LV", 0.5) for case in "abc"], columns, {})
    assert [row.group for row in rows] == ["alpha", "zeta", NOT_GIVEN]
