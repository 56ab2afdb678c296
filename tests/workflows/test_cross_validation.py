"""Real folds summarised; what is missing is named, never invented."""

import csv
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.fakes import program
from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.workflows.cross_validation import summarise_folds

FILES = ("cross_validation.csv", "cross_validation.json", "cross_validation.png")


@pytest.fixture(scope="module")
def folds(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder, with folds 0 and 2 finished and 3 begun."""
    folder = tmp_path_factory.mktemp("folds")
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    assert program.train(folder, "--fold", "2") == 0
    program.run_folder(folder, fold="3").mkdir()
    return program.run_folder(folder).parent


def test_the_folds_that_are_there_are_pooled(folds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = summarise_folds(folds, 5)
    assert found.missing == {
        "1": "it was not trained",
        "3": "it is not finished",
        "4": "it was not trained",
    }
    assert all((folds / name).is_file() for name in FILES)
    content = read_json(folds / "cross_validation.json")
    assert (content["folds"], content["missing_folds"], content["warnings"]) == (["0", "2"], found.missing, [])
    assert (content["overall"]["cases"], content["overall"]["patients"]) == (4, 2)
    scores = {fold: read_json(folds / f"fold_{fold}" / "run.json")["finished"]["scores"] for fold in "02"}
    for structure in content["structures"]:
        for fold, mean in structure["fold_means"].items():
            assert mean == pytest.approx(scores[fold][structure["structure"]])
    with (folds / "cross_validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["fold"] for row in rows} == {"0", "2"}
    assert {row["patient"] for row in rows} == {row["case"].split("_")[0] for row in rows}
    assert np.ptp(matplotlib.image.imread(folds / "cross_validation.png")[..., :3]) > 0.5
    shown = capsys.readouterr().out
    assert "fold 2" in shown
    assert "Note: fold 3 is in no number: it is not finished." in shown


def test_compare_pools_folds_and_is_not_misled_by_the_summary(folds: Path, run: Path, tmp_path: Path) -> None:
    summarise_folds(folds, 5)
    assert program.uumamba("compare", folds, run, "--output", tmp_path / "out") == 0
    found = read_json(tmp_path / "out" / "comparison.json")
    assert (found["a"]["folds"], len(found["only_in_a"]), found["overall"]["equal"]) == (["0", "2"], 2, 2)
    assert "A: no validation yet of fold 3, which is left out" in found["warnings"]


def test_no_fold_is_finished(tmp_path: Path) -> None:
    (tmp_path / "fold_1").mkdir()
    with pytest.raises(InputError, match=r"no fold has a validation\.csv"):
        summarise_folds(tmp_path, 5)
