"""Expected against true Dice: what is read beside the predictions, and what it says."""

from pathlib import Path

import pytest
from scipy.stats import spearmanr

from uumamba.core.errors import InputError
from uumamba.evaluation.expected_dice import POOLED, read_confidences, summarise_confidence
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
    with pytest.raises(InputError, match=r"cases.csv: cannot be read as a CSV table"):
        read_confidences(tmp_path, pairs(tmp_path, "a"), ["LV"])


def test_statistics_by_hand() -> None:
    true = {"a": 0.9, "b": 0.8, "c": 0.6, "d": 0.3}
    expected = {"a": 0.95, "b": 0.65, "c": 0.7, "d": 0.4}
    scores = [score(case, "LV", dice) for case, dice in true.items()] + [score("a", "RV", None), score("e", "LV", 0.5)]
    (found,) = summarise_confidence(
        scores, {(case, "LV"): value for case, value in expected.items()} | {("a", "RV"): 1}
    )
    assert (found.structure, found.n, found.failures) == ("LV", 4, 2)
    assert found.mean_confidence == pytest.approx(0.675)
    assert found.mean_dice == pytest.approx(0.65)
    assert found.bias == pytest.approx(0.025)
    assert found.mean_absolute_error == pytest.approx((0.05 + 0.15 + 0.1 + 0.1) / 4)
    assert found.spearman == pytest.approx(spearmanr(list(expected.values()), list(true.values())).statistic)
    assert found.auroc == pytest.approx(3 / 4)


def test_several_structures_are_pooled_too_and_what_is_missing_has_its_reason() -> None:
    scores = [score("a", "LV", 0.9), score("b", "LV", 0.8), score("a", "RV", 0.2)]
    found = summarise_confidence(scores, {("a", "LV"): 0.9, ("b", "LV"): 0.7, ("a", "RV"): 0.3})
    assert [(row.structure, row.n) for row in found] == [("LV", 2), ("RV", 1), (POOLED, 3)]
    assert (found[0].spearman, found[0].spearman_reason) == (None, "needs 3 values, got 2")
    assert (found[0].auroc, found[0].auroc_reason) == (None, "none is to be found")
    assert (found[1].auroc, found[1].auroc_reason) == (None, "all are to be found")
    assert (found[2].spearman, found[2].auroc) == (pytest.approx(1.0), 1.0)
    assert summarise_confidence(scores, {}) == ()
