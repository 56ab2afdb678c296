"""A run is exported, and nnU-Net's own predictor takes it."""

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.nnunet_stock import SinglePrecision, stock_label_map, stock_of_exported
from tests.fakes.program import uumamba
from uumamba.core.errors import InputError
from uumamba.imaging.files import read_image, write_image
from uumamba.imaging.orientation import to_canonical
from uumamba.inference.bundle import Bundle, read_bundle
from uumamba.inference.exports.table import EXPORTERS
from uumamba.inference.predictor import Predictor


def test_a_run_for_nnunet(
    run: Path,
    images: tuple[Path, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nnunetv2.inference.predict_from_raw_data.torch", SinglePrecision())
    assert uumamba("export", run, "--to", "nnunet", "-o", tmp_path / "exported") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "research use only" in said
    assert "only for images that are stored in canonical axes" in said
    image, _ = to_canonical(read_image(images[0]))
    write_image(tmp_path / "image.nii.gz", image)
    labels = stock_label_map(stock_of_exported(tmp_path / "exported"), tmp_path / "image.nii.gz")
    ours = Predictor([read_bundle(run)], postprocess=False).predict([image]).labels
    assert len(np.unique(labels)) > 1
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(ours, labels)


def test_a_folder_with_something_in_it_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    for output in (tmp_path, tmp_path / "mine"):
        assert uumamba("export", run, "--to", "nnunet", "-o", output) == 2
        assert "is there and not an empty folder; name another one with --output" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_target_that_there_is_not(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("export", run, "--to", "onnx", "-o", tmp_path / "exported") == 2
    assert "--to onnx: no such target; choose one of nnunet" in capsys.readouterr().err
    assert not (tmp_path / "exported").exists()


def test_an_empty_folder_is_filled(run: Path, tmp_path: Path) -> None:
    inode = tmp_path.stat().st_ino
    assert uumamba("export", run, "--to", "nnunet", "-o", tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"plans.json", "dataset.json", "README.md", "fold_0"}
    assert tmp_path.stat().st_ino == inode


def break_down(_bundle: Bundle, folder: Path) -> str:
    """An exporter that fails midway."""
    (folder / "plans.json").write_text("{}")
    raise InputError("broke down")


def test_a_failure_midway_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(EXPORTERS, "broken", break_down)
    for output in (tmp_path, tmp_path / "exported"):
        assert uumamba("export", run, "--to", "broken", "-o", output) == 2
        assert "broke down" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
