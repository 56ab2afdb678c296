"""Two real small trainings, and evaluations, compared on the command line."""

import csv
import math
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.fakes import program
from uumamba.core.files import read_json

FILES = {"comparison.csv", "comparison.json", "comparison.png"}


def compare(a: Path, b: Path, output: Path) -> int:
    """`uumamba compare`."""
    return program.uumamba("compare", a, b, "--output", output)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def two(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two finished runs of fold 0 that differ in seed and rule."""
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(trained, folder, dirs_exist_ok=True)
    assert program.train(folder, "--name", "plain", overrides=("seed=1", "rule={name: plain}")) == 0
    return program.run_folder(folder), program.run_folder(folder, "plain")


def test_two_trainings(two: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert compare(*two, output) == 0
    assert {path.name for path in output.iterdir()} == FILES
    found = read_json(output / "comparison.json")
    left, right = ({row["case"]: row for row in rows(run / "validation.csv")} for run in two)
    table = rows(output / "comparison.csv")
    assert len(table) == 3 * len(left) == 6
    for row in table:
        one, other = (float(side[row["case"]][row["structure"]]) for side in (left, right))
        assert float(row["difference"]) == pytest.approx(other - one, abs=2e-6)
        assert row["patient"] == row["case"].split("_")[0]
    assert found["overall"]["difference"] == pytest.approx(
        math.fsum(float(row["difference"]) for row in table) / 6, abs=2e-6
    )
    assert (found["overall"]["cases"], found["overall"]["patients"]) == (2, 1)
    assert found["overall"]["interval"] == {"low": None, "high": None, "reason": "needs 2 patients, got 1"}
    assert found["overall"]["p_reason"] == "the test needs 6 patients, got 1"
    assert found["settings_that_differ"]["seed"] == {"a": 0, "b": 1}
    assert found["settings_that_differ"]["rule.name"] == {"a": "sharpness_aware", "b": "plain"}
    assert (found["a"]["name"], found["b"]["seeds"], found["warnings"]) == ("acdc/fold_0", [1], [])
    assert np.ptp(matplotlib.image.imread(output / "comparison.png")[..., :3]) > 0.5
    shown = capsys.readouterr().out
    for words in (
        "mean over structures",
        "rule.name",
        found["sentence"][:60],
        "too few patients",
        "Research use only.",
    ):
        assert words in shown


def test_a_run_and_itself(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(run, run, tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "Note: A and B are the same folder." in shown
    assert "A and B are equal on every case" in shown
    assert {row["difference"] for row in rows(tmp_path / "out" / "comparison.csv")} == {"0.0"}


def test_evaluations_know_their_patients(data: Path, tmp_path: Path) -> None:
    training = data / "database" / "training"
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for file in training.glob("*/*_gt.nii.gz"):
        shutil.copy(file, predictions / file.name.replace("_gt", ""))
    arguments = ("--predictions", predictions, "--references", training, "--dataset", "acdc")
    assert program.uumamba("evaluate", *arguments, "--output", tmp_path / "evaluation") == 0
    shutil.copytree(tmp_path / "evaluation", tmp_path / "again")
    assert compare(tmp_path / "evaluation", tmp_path / "again", tmp_path / "out") == 0
    found = read_json(tmp_path / "out" / "comparison.json")
    assert (found["overall"]["cases"], found["overall"]["patients"]) == (10, 5)
    assert [warning[:18] for warning in found["warnings"]] == ["A is an evaluation", "B is an evaluation"]


def test_what_cannot_be_compared_is_one_line_and_nothing_is_written(
    run: Path, my_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = program.run_folder(my_trained, fold="1")
    assert program.train(my_trained, "--fold", "1") == 0
    assert compare(run, other, tmp_path / "out") == 2
    assert "have no case in common" in capsys.readouterr().err
    assert compare(run, tmp_path / "nowhere", tmp_path / "out") == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
