"""A published model folder becomes a bundle that the other commands take."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.nnunet_folder import checkpoint_of, small_network, write_model_folder
from tests.fakes.program import uumamba
from tests.fakes.scan import scan
from uumamba.imaging.files import read_label_map, write_image
from uumamba.inference.bundle import read_bundle
from uumamba.inference.predictor import Predictor
from uumamba.models.baselines import NnunetPlainSettings
from uumamba.models.umamba import UMambaSettings

OFFICIAL = Path(__file__).parents[2].parent / "shared" / "parity" / "official_model"
ENCODER = UMambaSettings(mamba="encoder", generation="v2")


def test_one_fold_is_one_file_for_infer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, bundle = write_model_folder(tmp_path, ENCODER, 2), tmp_path / "model.safetensors"
    assert uumamba("import", folder, "-o", bundle) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "fold 0, 2d v2, Mamba encoder" in said
    assert "in the axes that they are stored in" in said
    write_image(tmp_path / "scan.nii.gz", scan())
    arguments = (
        "--model",
        bundle,
        "--input",
        tmp_path / "scan.nii.gz",
        "--output",
        tmp_path / "out",
        "--device",
        "cpu",
    )
    assert uumamba("infer", *arguments) == 0
    labels = read_label_map(tmp_path / "out" / "scan.nii.gz").data
    np.testing.assert_array_equal(labels, Predictor([read_bundle(bundle)]).predict([scan()]).labels)


def test_nnunets_own_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model_folder(tmp_path, NnunetPlainSettings(), 2)
    assert uumamba("import", folder, "-o", tmp_path / "m") == 0
    assert "fold 0, 2d nnunet_plain" in " ".join(capsys.readouterr().err.split())
    assert read_bundle(tmp_path / "m").description.network == NnunetPlainSettings()


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the published numbers (shared/parity) are not beside this checkout")
def test_the_published_model_by_the_command_line(tmp_path: Path) -> None:
    (folder,) = OFFICIAL.iterdir()
    assert uumamba("import", folder, "-o", tmp_path / "m.safetensors") == 0
    arguments = ("--model", tmp_path / "m.safetensors", "--input", folder / "case" / "image.nii.gz")
    assert uumamba("infer", *arguments, "--output", tmp_path / "out", "--device", "cpu") == 0
    labels = read_label_map(tmp_path / "out" / "image.nii.gz")
    expected = read_label_map(folder / "case" / "expected_labels.nii.gz")
    np.testing.assert_array_equal(labels.data, expected.data)
    np.testing.assert_array_equal(labels.affine, expected.affine)


def test_several_folds_are_several_files(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1", "all"))
    assert uumamba("import", folder, "-o", tmp_path / "new" / "m.safetensors") == 0
    found = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert found == ["m_fold_0.safetensors", "m_fold_1.safetensors"]
    for seed, name in enumerate(found):
        weights = small_network(ENCODER, 2, seed=seed).state_dict()
        state = read_bundle(tmp_path / "new" / name).state
        assert all((state[key] == tensor).all() for key, tensor in weights.items())


def test_folds_can_be_chosen(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1", "all"))
    assert uumamba("import", folder, "-o", tmp_path / "m", "--fold", "all") == 0
    assert read_bundle(tmp_path / "m").description.training.fold == "all"
    assert uumamba("import", folder, "-o", tmp_path / "n", "--fold", "1", "--fold", "all") == 0
    assert (tmp_path / "n_fold_1").is_file()
    assert (tmp_path / "n_fold_all").is_file()


def test_a_contradiction_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, trainer_name="nnUNetTrainerUMambaBot")
    assert uumamba("import", folder, "-o", tmp_path / "m") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "nnUNetTrainerUMambaBot, says bot; the weights say enc and were believed." in said


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2)
    (tmp_path / "m").write_text("mine")
    assert uumamba("import", folder, "-o", tmp_path / "m") == 2
    assert "m: exists already; name another file with --output, or remove it" in capsys.readouterr().err
    assert (tmp_path / "m").read_text() == "mine"


def test_nothing_is_written_unless_every_fold_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1"))
    (folder / "fold_1" / "checkpoint_final.pth").write_bytes(b"broken")
    assert uumamba("import", folder, "-o", tmp_path / "m.safetensors") == 2
    assert "fold_1/checkpoint_final.pth: not a readable checkpoint" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}


@pytest.mark.parametrize("folds", [("0",), ("0", "1")])
def test_weights_that_are_not_finite(
    folds: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, network = write_model_folder(tmp_path, ENCODER, 2, folds=folds), small_network(ENCODER, 2)
    with torch.no_grad():
        network.decoder.seg_layers[1].bias[0] = float("nan")
    torch.save(checkpoint_of(network, 2), folder / f"fold_{folds[-1]}" / "checkpoint_final.pth")
    assert uumamba("import", folder, "-o", tmp_path / "m.safetensors") == 2
    said = capsys.readouterr().err
    assert f"fold_{folds[-1]}/checkpoint_final.pth: weights must be finite" in said
    assert "decoder.seg_layers.1.bias" in said
    assert "take --checkpoint checkpoint_best.pth" in said
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}


def test_a_fold_that_is_named_twice_is_one(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1"))
    assert uumamba("import", folder, "-o", tmp_path / "m", "--fold", "0", "--fold", "0") == 0
    assert read_bundle(tmp_path / "m").description.training.fold == 0


@pytest.mark.parametrize("option", [("--checkpoint", "**.pth"), ("--fold", "0/../fold_1")], ids=" ".join)
def test_names_that_lead_elsewhere(option: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1"))
    assert uumamba("import", folder, "-o", tmp_path / "m", *option) == 2
    assert f"{' '.join(option)}: must be " in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}
