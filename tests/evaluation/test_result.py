"""What is read from a run, from folds and from an evaluation, and what is refused."""

from pathlib import Path

import pytest

from tests.evaluation.results_on_disk import write_record, write_run, write_scores
from uumamba.core.errors import InputError
from uumamba.core.files import write_json
from uumamba.evaluation.result import read_folds_of_run, read_result

ONE = {"p1_a": {"RV": 0.5, "LV": 0.75}, "p1_b": {"RV": None, "LV": 1.0}}
TWO = {"p2_a": {"RV": 0.25, "LV": 0.0}}
OWNERS = {"p1_a": "p1", "p1_b": "p1", "p2_a": "p2", "p3_a": "p3"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two finished folds and one that is not."""
    write_record(tmp_path / "acdc", OWNERS)
    folder = tmp_path / "acdc" / "runs" / "plain"
    write_run(folder / "fold_0", ONE, seed=4)
    write_run(folder / "fold_1", TWO, seed=4)
    (folder / "fold_2").mkdir()
    (folder / "fold_all").mkdir()
    return folder


def test_a_run(run: Path) -> None:
    result = read_result(run / "fold_0")
    assert result.dice == ONE
    assert result.patients == {"p1_a": "p1", "p1_b": "p1"}
    assert (result.name, result.structures, result.folds) == ("plain/fold_0", ("RV", "LV"), {"p1_a": "0", "p1_b": "0"})
    assert result.records["0"]["seed"] == 4


def test_folds_are_pooled_and_the_unfinished_one_is_named(run: Path) -> None:
    result = read_result(run)
    assert result.dice == ONE | TWO
    assert (list(result.records), result.unfinished, result.name) == (["0", "1"], ("2",), "plain")
    assert result.folds["p2_a"] == "1"
    assert set(result.patients.values()) == {"p1", "p2"}
    assert list(read_folds_of_run(run, ["1"]).records) == ["1"]


def test_an_evaluation_knows_its_patients_if_it_was_told(tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "with", ONE, OWNERS)
    assert read_result(scores).dice == ONE
    assert read_result(scores).patients == {"p1_a": "p1", "p1_b": "p1"}
    assert (read_result(scores).records, read_result(scores).name) == ({}, "with")
    assert read_result(write_scores(tmp_path / "without", ONE)).patients == {}


def test_a_run_outside_its_work_folder_knows_no_patients(tmp_path: Path) -> None:
    assert read_result(write_run(tmp_path / "a" / "b" / "moved", ONE)).patients == {}


def test_what_is_no_result(tmp_path: Path, run: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder; give a run's folder, a folder of fold_0"):
        read_result(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no result here; give a run's folder"):
        read_result(tmp_path)
    (run / "fold_0" / "validation.csv").unlink()
    with pytest.raises(InputError, match=r"fold_0: no validation.csv there; let the training end, or go on with --res"):
        read_result(run / "fold_0")
    (run / "fold_1" / "validation.csv").unlink()
    with pytest.raises(InputError, match=r"plain: no fold has a validation.csv; let a training end"):
        read_result(run)


def test_a_run_on_every_case_held_none_out(run: Path) -> None:
    write_run(run / "fold_all", {})
    (run / "fold_all" / "validation.csv").unlink()
    message = "fold_all: this run was trained on every case, so none was held out; .* that `uumamba evaluate` wrote"
    with pytest.raises(InputError, match=message):
        read_result(run / "fold_all")


def test_two_folds_cannot_hold_out_one_case(run: Path) -> None:
    write_run(run / "fold_1", ONE)
    with pytest.raises(InputError, match=r"folds 0 and 1 both hold p1_a out; they are not folds of one split"):
        read_result(run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the column case is missing; the file is broken"),
        ("name,LV\na,1\n", "the column case is missing"),
        ("case,LV\n", "holds no case; there is nothing to compare"),
        ("case,LV\na,1\na,1\n", "line 3: this case is there twice"),
        ("case,LV\na,1,2\n", "line 2: not as many cells as columns"),
        ("case,LV\na\n", "line 2: not as many cells as columns"),
        ("case,LV\na,1.5\n", r"line 2: LV: must be empty or in \[0, 1\], got '1.5'"),
        ("case,LV\na,nan\n", r"line 2: LV: must be empty or in \[0, 1\], got 'nan'"),
        ("case,LV\na,good\n", r"line 2: LV: must be empty or in \[0, 1\], got 'good'"),
    ],
)
def test_a_broken_table_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text(content)
    write_json(tmp_path / "run.json", {})
    with pytest.raises(InputError, match=rf"validation\.csv: {message}"):
        read_result(tmp_path)


def test_a_broken_evaluation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("case,structure,dice\na,LV,0.5\na,LV,0.5\n")
    with pytest.raises(InputError, match=r"scores\.csv: line 3: this case is there twice"):
        read_result(tmp_path)


def test_the_patients_of_an_evaluation_are_in_its_document(tmp_path: Path) -> None:
    path = write_scores(tmp_path / "new", ONE, {"p1_a": "wrong"})
    document = {"schema": "uumamba-evaluation", "schema_version": 1}
    cases = [{"case": "p1_a", "patient": "p1"}, {"case": "p1_b", "patient": None}]
    write_json(path / "evaluation.json", {**document, "cases": cases})
    assert read_result(path).patients == {"p1_a": "p1"}
    write_json(path / "evaluation.json", {**document, "schema_version": 7, "cases": cases})
    with pytest.raises(InputError, match=r"evaluation.json: has schema version 7, this program reads 1"):
        read_result(path)
