"""Two folders in, all tables out: in memory, on disk, on screen."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.evaluation.evaluate import Evaluation, evaluate_folders
from uumamba.evaluation.label_match import same_labels
from uumamba.evaluation.screen import remarks, tables
from uumamba.evaluation.writing import CLINICAL_COLUMNS, GROUP_COLUMNS, case_columns, write_tables
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image
from uumamba.measures import MEASURES

LABELS = same_labels(LabelSet(names=("background", "RV", "MYO", "LV")))
PATIENTS = ("patient001", "patient002", "patient003")


def heart(size: int) -> NDArray[np.uint8]:
    labels = np.zeros((24, 20, 4), dtype=np.uint8)
    labels[2:8, 4:16], labels[8 : 12 + size, 4:16], labels[9 : 9 + size, 7:13] = 1, 2, 3
    return labels


def save(path: Path, labels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_map(path, labels, Image(data=labels, affine=np.diag([1.5, 1.5, 10.0, 1.0])))


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """References of three patients at two phases below `references`, and identical predictions below `predictions`."""
    cases = []
    for index, patient in enumerate(PATIENTS):
        for phase, frame, size in (("ED", "01", 9 + index), ("ES", "12", 5)):
            name = f"{patient}_frame{frame}"
            save(tmp_path / "references" / patient / f"{name}_gt.nii.gz", heart(size))
            save(tmp_path / "references" / patient / f"{name}.nii.gz", heart(size))
            save(tmp_path / "predictions" / f"{name}.nii.gz", heart(size))
            cases.append(Case(name, patient, (), None, {"phase": phase}))
    return cases


def evaluate(folder: Path, cases: list[Case]) -> Evaluation:
    return evaluate_folders(folder / "predictions", folder / "references", LABELS, cases=cases)


def shown(evaluation: Evaluation) -> str:
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(*tables(evaluation))
    return console.export_text()


def test_identity_is_perfect(tmp_path: Path, cases: list[Case]) -> None:
    evaluation = evaluate(tmp_path, cases)
    assert len(evaluation.scores) == 18
    for structure in evaluation.summary.structures:
        assert structure.found == 6
        assert [structure.metrics[name].mean for name in ("dice", "hd95_mm", "assd_mm", "nsd")] == [1, 0, 0, 1]
    assert len(evaluation.clinical) == 3 * len(MEASURES)
    for each in evaluation.agreements:
        assert (each.agreement.n, each.agreement.bias, each.unmeasured) == (3, 0.0, {})
    assert evaluation.failures == {}
    assert remarks(evaluation) == []
    text = shown(evaluation)
    assert "1.000 ± 0.000" in text
    assert "failed" not in text
    assert "myocardial mass, g" in text
    assert "phase ED" in text


def spoil(folder: Path) -> None:
    """One prediction missing, one broken, one without a reference."""
    (folder / "predictions" / "patient001_frame12.nii.gz").unlink()
    (folder / "predictions" / "patient002_frame01.nii.gz").write_text("no image")
    save(folder / "predictions" / "stranger.nii.gz", heart(5))


def test_failures_are_counted_and_named(tmp_path: Path, cases: list[Case]) -> None:
    spoil(tmp_path)
    evaluation = evaluate(tmp_path, cases)
    assert list(evaluation.failures) == ["patient001_frame12", "patient002_frame01"]
    assert [path.name for path in evaluation.extra] == ["stranger.nii.gz"]
    dice = evaluation.summary.structures[0].metrics["dice"]
    assert (dice.n, dice.mean, dice.mean_with_failures) == (4, 1.0, pytest.approx(4 / 6))
    ef = next(each for each in evaluation.agreements if each.measure == "lv_ef_percent")
    assert list(ef.unmeasured) == ["patient001", "patient002"]
    lines = remarks(evaluation)
    assert "LV EF, % without patient001, patient002" in lines
    assert lines[0] == "patient001_frame12 failed: no prediction"
    assert lines[2] == "not scored, as there is no reference: 1 prediction (stranger.nii.gz)"
    text = shown(evaluation)
    assert "failed cases as total misses" in text
    assert "0.667" in text
    assert "missed" not in text


def test_good_cases_are_scored_as_if_alone(tmp_path: Path, cases: list[Case]) -> None:
    before = {(score.case, score.structure): score for score in evaluate(tmp_path, cases).scores}
    spoil(tmp_path)
    after = evaluate(tmp_path, cases)
    good = [score for score in after.scores if score.case not in after.failures]
    assert len(good) == 12
    assert all(before[score.case, score.structure] == score for score in good)


def test_many_failures_are_cut_short_on_screen_only(tmp_path: Path, cases: list[Case]) -> None:
    for path in sorted((tmp_path / "predictions").iterdir())[1:]:
        path.write_text("no image")
    for index in range(7):
        references = tmp_path / "references" / f"more{index}_gt.nii.gz"
        save(references, heart(5))
    evaluation = evaluate(tmp_path, cases)
    assert len(evaluation.failures) == 12
    assert "... 12 cases failed in all; every one is in evaluation.json" in remarks(evaluation)
    assert remarks(evaluation)[-1].startswith("the patient of 7 cases is not known, so each counts as a patient of its")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_written_files(tmp_path: Path, cases: list[Case]) -> None:
    spoil(tmp_path)
    written = write_tables(evaluate(tmp_path, cases), tmp_path / "out")
    assert [path.name for path in written] == ["scores.csv", "groups.csv", "clinical.csv"]
    scores = rows(written[0])
    assert tuple(scores[0]) == case_columns(tubular=False)
    assert len(scores) == 18
    failed = next(row for row in scores if row["case"] == "patient001_frame12")
    assert (failed["outcome"], failed["dice"], failed["reason"]) == ("failed", "", "no prediction")
    groups = rows(written[1])
    assert tuple(groups[0]) == GROUP_COLUMNS
    dice = [row for row in groups if (row["metric"], row["structure"]) == ("dice", "LV")]
    assert [(row["column"], row["group"], row["cases"], row["failed"], row["n"], row["reason"]) for row in dice] == [
        ("phase", "ED", "3", "1", "2", "needs 3 patients, got 2"),
        ("phase", "ES", "3", "1", "2", "needs 3 patients, got 2"),
    ]
    clinical = rows(written[2])
    assert tuple(clinical[0]) == CLINICAL_COLUMNS
    assert clinical[1]["reason"] == "prediction: no prediction"


def test_without_phases_there_is_no_clinical_file(tmp_path: Path, cases: list[Case]) -> None:
    assert cases
    evaluation = evaluate_folders(
        tmp_path / "predictions", tmp_path / "references", LABELS, nsd_tolerance_mm={"RV": 1.0, "MYO": 1.0, "LV": 2.0}
    )
    assert [path.name for path in write_tables(evaluation, tmp_path / "out")] == ["scores.csv"]
    assert evaluation.confidence_reason == "no cases.csv beside the predictions"


def test_a_table_tells_patients_phases_and_groups(tmp_path: Path, cases: list[Case]) -> None:
    known = evaluate(tmp_path, cases)
    table = tmp_path / "groups.csv"
    lines = [f"{case.name},{case.patient},{case.details['phase']},{case.patient[-1]}" for case in reversed(cases)]
    table.write_text("\n".join(["case,patient,phase,vendor", *lines]) + "\n")
    told = evaluate_folders(tmp_path / "predictions", tmp_path / "references", LABELS, groups=table)
    assert told.patients == known.patients
    assert told.clinical == known.clinical
    assert told.summary == known.summary
    assert {(row.column, row.group) for row in told.groups} == {
        ("phase", "ED"), ("phase", "ES"), ("vendor", "1"), ("vendor", "2"), ("vendor", "3")
    }  # fmt: skip


def test_what_the_model_expected_is_set_against_what_came(tmp_path: Path, cases: list[Case]) -> None:
    lines = [f"{case.name},{0.9 - place / 100}," for place, case in enumerate(cases)]
    (tmp_path / "predictions" / "cases.csv").write_text("\n".join(["case,confidence_LV,confidence_RV", *lines]) + "\n")
    evaluation = evaluate(tmp_path, cases)
    (row,) = evaluation.confidence
    assert (row.structure, row.n, row.mean_dice, row.auroc_reason) == ("LV", 6, 1.0, "none is to be found")
    assert evaluation.confidence_reason is None
    assert "The Dice that the model expected" in shown(evaluation)
    scores = rows(write_tables(evaluation, tmp_path / "out")[0])
    assert [row["confidence"] for row in scores[:3]] == ["", "", "0.9"]


def test_the_order_of_files_and_cases_does_not_matter(tmp_path: Path, cases: list[Case]) -> None:
    before = evaluate(tmp_path, cases)
    moved = tmp_path / "predictions" / "zz"
    moved.mkdir()
    for path in sorted((tmp_path / "predictions").glob("*.nii.gz"))[:3]:
        path.rename(moved / path.name)
    after = evaluate(tmp_path, cases[::-1])
    assert (after.scores, after.summary, after.groups, after.clinical) == (
        before.scores,
        before.summary,
        before.groups,
        before.clinical,
    )


def test_the_tables_fit_100_columns(tmp_path: Path, cases: list[Case]) -> None:
    spoil(tmp_path)
    text = shown(evaluate(tmp_path, cases))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert sum("myocardial mass, g" in line for line in text.splitlines()) == 1
