"""What is read beside the predictions, and what it says of which scores."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.evaluation.confidence import ConfidenceRow
from uumamba.evaluation.confidence_reading import confidence_rows, read_confidences
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import StructureScore
from uumamba.metrics import METRICS


def pairs(folder: Path, *cases: str) -> list[CasePair]:
    return [CasePair(case, folder / f"{case}_0000.nii.gz", folder / f"{case}_gt.nii.gz") for case in cases]


def score(case: str, structure: str, dice: float | None) -> StructureScore:
    metrics = dict.fromkeys(METRICS) | {"dice": dice}
    return StructureScore(case, structure, "absent" if dice is None else "found", metrics, 1.0, 1.0, 300.0)


def test_reads_the_columns_of_the_compared_structures(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "case,status,confidence_lowest,confidence_LV,confidence_RV\na_0000,ok,0.5,0.9,0.5\nb_0000,ok,,0.25,\nz,ok,,1,1\n"
    )
    found, reason = read_confidences(
        tmp_path, [*pairs(tmp_path, "a", "b"), CasePair("c", None, tmp_path)], ["LV", "MYO"]
    )
    assert (found, reason) == ({("a", "LV"): 0.9, ("b", "LV"): 0.25}, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no cases.csv beside the predictions"),
        ("case,status\na_0000,ok\n", "cases.csv beside the predictions has no column confidence_LV"),
        ("case,confidence_LV\nother,0.5\n", "cases.csv beside the predictions has no confidence of these cases"),
    ],
)
def test_says_why_there_is_none(tmp_path: Path, text: str | None, reason: str) -> None:
    if text is not None:
        (tmp_path / "cases.csv").write_text(text)
    assert read_confidences(tmp_path, pairs(tmp_path, "a"), ["LV"]) == ({}, reason)


@pytest.mark.parametrize("text", ["high", "1.2", "-0.1", "nan"])
def test_a_confidence_is_a_number_from_0_to_1(tmp_path: Path, text: str) -> None:
    (tmp_path / "cases.csv").write_text(f"case,confidence_LV\na_0000,{text}\n")
    with pytest.raises(InputError, match=f"cases.csv: line 2: confidence_LV: must be empty or in .0, 1., got '{text}'"):
        read_confidences(tmp_path, pairs(tmp_path, "a"), ["LV"])


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"cases.csv: is not UTF-8 text"):
        read_confidences(tmp_path, pairs(tmp_path, "a"), ["LV"])


def test_rows_are_of_structures_with_both_numbers_in_any_case() -> None:
    scores = [score("a", "LV", 0.9), score("a", "RV", None), score("b", "LV", 0.5), score("b", "MYO", 0.8)]
    found = confidence_rows(scores, {("a", "LV"): 0.95, ("a", "RV"): 1.0})
    assert found == (ConfidenceRow("a", "LV", 0.95, 0.9), ConfidenceRow("b", "LV", None, 0.5))
    assert confidence_rows(scores, {}) == ()
