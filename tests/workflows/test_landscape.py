"""A finished run's minimum is measured, on the same patches for every run."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes import program
from tests.fakes.program import uumamba
from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.workflows import landscape as workflow

FILES = {"landscape.json", "landscape.png"}


def measure(run: Path, output: Path, *options: str) -> dict[str, Any]:
    """`uumamba landscape` into another folder; what it wrote."""
    assert uumamba("landscape", run, "--output", output, "--batches", "1", *options) == 0
    record: dict[str, Any] = read_json(output / "landscape.json")
    return record


def test_a_run_gets_its_numbers_and_its_picture(
    my_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = program.run_folder(my_trained)
    before = {path.name for path in run.iterdir()}
    assert uumamba("landscape", run, "--two-dimensional", "--rho", "0.1") == 0
    output, said = capsys.readouterr()
    assert "top eigenvalue" in output
    assert "sharpness at 0.1" in output
    assert "4 batches of 2 training patches 32x32 without augmentation, in fp32" in " ".join(said.split())
    assert {path.name for path in run.iterdir()} == before | FILES
    assert (run / "landscape.png").read_bytes().startswith(b"\x89PNG")
    record = read_json(run / "landscape.json")
    assert (record["rho"], record["batches"], record["precision"], record["device"]) == (0.1, 4, "fp32", "cpu")
    assert record["scan_backend"] == "cpu"
    assert record["lowest_eigenvalue"]["value"] < record["top_eigenvalue"]["value"]
    assert record["trace"]["standard_error"] > 0
    assert record["term_weights"] == pytest.approx({"region": 0.5, "distribution": 0.5, "pixel": 0.5})
    assert len(record["line"]["places"]) == len(record["line"]["losses"]) == 21
    assert record["line"]["losses"][10] == record["loss"]
    assert [len(row) for row in record["plane"]["losses"]] == [15] * 15
    assert record["plane"]["losses"][7][7] == record["loss"]
    assert record["plane"]["losses"][7][14] == pytest.approx(record["line"]["losses"][20])
    again = measure(run, tmp_path / "again", "--rho", "0.1")
    assert again["top_eigenvalue"] != record["top_eigenvalue"], "fewer batches, another surface"
    assert again == measure(run, tmp_path / "once more", "--rho", "0.1") | {"time": again["time"]}


def test_runs_of_other_seeds_are_measured_on_the_same_patches(my_trained: Path, tmp_path: Path) -> None:
    assert program.train(my_trained, "--name", "other", overrides=("seed=5", "training.epochs=1")) == 0
    first = measure(program.run_folder(my_trained), tmp_path / "first")
    other = measure(program.run_folder(my_trained, "other"), tmp_path / "other")
    assert (first["run_seed"], other["run_seed"]) == (0, 5)
    assert first["patches_sha256"] == other["patches_sha256"]
    assert first["loss"] != other["loss"]


def test_a_sharpness_that_is_not_finite_is_null(
    my_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = measure(program.run_folder(my_trained), tmp_path / "far", "--rho", "1e39")
    assert record["sharpness"] is None
    assert record["top_eigenvalue"]["value"] > 0
    assert "not finite" in capsys.readouterr().out
    assert (tmp_path / "far" / "landscape.png").is_file()


def test_a_distance_that_is_not_finite_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "model.safetensors").touch()
    assert uumamba("landscape", tmp_path / "none", "--rho", "inf") == 2
    assert "--rho inf: must be a finite distance of at least 0, such as 0.05" in capsys.readouterr().err
    for rho in (math.nan, -0.5):
        with pytest.raises(InputError, match=f"--rho {rho:g}: must be a finite distance of at least 0"):
            workflow.landscape(tmp_path / "none", rho=rho)


def test_who_stops_the_slices_has_the_numbers(my_trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        """What Ctrl-C does."""
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "line_losses", stop)
    run = program.run_folder(my_trained)
    assert uumamba("landscape", run, "--batches", "1") == 130
    assert read_json(run / "landscape.json")["top_eigenvalue"]["value"] > 0
    assert not (run / "landscape.png").exists()


def test_a_run_away_from_its_work_folder_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (tmp_path / "fold_0", tmp_path / "acdc" / "runs" / "mine" / "fold_0"):
        shutil.copytree(run, place)
        assert uumamba("landscape", place) == 2
        assert "must lie where it was trained, as <work>/<data set>/runs/<name>/fold_<n>" in capsys.readouterr().err


def test_what_a_run_needs_is_named(my_trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = program.run_folder(my_trained)
    assert uumamba("landscape", run, "--device", "abacus") == 2
    assert "device abacus: must be one of auto, cpu, cuda" in capsys.readouterr().err
    (run / "config.yaml").unlink()
    assert uumamba("landscape", run) == 2
    assert "config.yaml: cannot be read" in capsys.readouterr().err
    assert uumamba("landscape", tmp_path / "none") == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_network_without_deep_supervision_is_measured_without(my_trained: Path, tmp_path: Path) -> None:
    overrides = ("training.deep_supervision=false", "training.epochs=1", "loss.name=fixed")
    assert program.train(my_trained, "--name", "single", overrides=overrides) == 0
    record = measure(program.run_folder(my_trained, "single"), tmp_path / "single")
    assert record["deep_supervision"] is False
    assert "without deep supervision" in record["measured_on"]
    assert torch.isfinite(torch.tensor(record["loss"]))
