"""What is known of cases: from a data set, from a table, and where the two do not fit."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.evaluation.case_facts import CaseFacts, add_table, facts_of

CASES = [
    Case("p1_ed", "p1", (), None, {"group": "DCM", "frame": 1}),
    Case("p1_es", "p1", (), None, {"group": "DCM", "frame": 9}),
    Case("p2_ed", "p2", (), None, {"group": "NOR"}),
]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_of_the_evaluated_cases_only() -> None:
    found = facts_of(CASES, ["stranger", "p2_ed"])
    assert found == (CaseFacts("p2_ed", "p2", {"group": "NOR"}), CaseFacts("stranger", None, {}))


def test_a_table_by_case(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffcase, patient,vendor\na_1, a, GE\na_2,a,\nb_1,b,Philips\nother,c,Siemens\n")
    found = add_table(facts_of([], ["a_1", "a_2", "b_1", "x"]), path)
    assert [(one.name, one.patient, dict(one.details)) for one in found] == [
        ("a_1", "a", {"vendor": "GE"}),
        ("a_2", "a", {"vendor": ""}),
        ("b_1", "b", {"vendor": "Philips"}),
        ("x", None, {}),
    ]


def test_a_table_by_patient(tmp_path: Path) -> None:
    path = table(tmp_path, "patient,vendor\np1,GE\np2,Philips\n")
    found = add_table(facts_of(CASES, [case.name for case in CASES]), path)
    assert [one.details["vendor"] for one in found] == ["GE", "GE", "Philips"]
    assert found[0].details["group"] == "DCM"


def test_a_table_wins_over_the_data_set_but_not_about_the_patient(tmp_path: Path) -> None:
    facts = facts_of(CASES, ["p1_ed"])
    (one,) = add_table(facts, table(tmp_path, "case,group\np1_ed,dilated\n"))
    assert (one.patient, one.details["group"], one.details["frame"]) == ("p1", "dilated", 1)
    with pytest.raises(InputError, match="p1_ed is of p7 here, but of p1 in the data set; correct it"):
        add_table(facts, table(tmp_path, "case,patient,vendor\np1_ed,p7,GE\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column case or patient, only nothing; the first line names the columns"),
        ("name,vendor\na,GE\n", "has no column case or patient, only name, vendor"),
        ("case\np1_ed\n", "has no column beside case, so it makes no groups"),
        ("case,vendor,vendor\np1_ed,GE,GE\n", "the column vendor is there twice; rename one"),
        ("case,\np1_ed,GE\n", "column 2 has no name"),
        ("case,vendor\np1_ed,GE,3\n", "line 2: not 2 cells, as the first line has"),
        ("case,vendor\np1_ed\n", "line 2: not 2 cells"),
        ("case,vendor\n", "has no row below its first line"),
        ("case,vendor\n,GE\n", "a row has no case: , GE"),
        ("case,vendor\np1_ed,GE\np1_ed,Philips\n", "p1_ed is there twice, with different values; keep one row"),
        (
            "case,vendor\nq,GE\nr,GE\n",
            "names none of the evaluated cases; it has q, r, evaluated are p1_ed, p1_es, p2_ed",
        ),
        ("patient,vendor\nq,GE\n", "names none of the evaluated patients; it has q, evaluated are p1, p2"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    facts = facts_of(CASES, [case.name for case in CASES])
    with pytest.raises(InputError, match=message) as error:
        add_table(facts, table(tmp_path, text))
    assert "groups.csv: " in str(error.value)
    assert "\n" not in str(error.value)


def test_patients_without_knowing_whose_cases_these_are(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="names patients, but it is not known which case is whose; add a column `case`"
    ):
        add_table(facts_of([], ["a"]), table(tmp_path, "patient,vendor\np1,GE\n"))


def test_no_such_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv: no such file; --groups is a CSV table"):
        add_table(facts_of(CASES, ["p1_ed"]), tmp_path / "nowhere.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes.csv: cannot be read as a CSV table"):
        add_table(facts_of(CASES, ["p1_ed"]), tmp_path / "bytes.csv")
