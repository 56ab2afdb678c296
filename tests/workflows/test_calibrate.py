"""A model's temperature, found on cases that it never saw, at the end of its training and by the command."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.fakes import program
from tests.fakes.program import uumamba
from uumamba.core.files import read_json
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.calibration import Calibration
from uumamba.inference.postprocessing import Postprocessing
from uumamba.inference.temperature import REGION
from uumamba.workflows.calibration_result import EVERYWHERE

FILES = ("calibration.json", "reliability.png", "confidence.png")


def change(bundle: Bundle, path: Path, *, seen: tuple[str, ...] | None = None, **changes: object) -> Path:
    """The same weights with another description."""
    training = bundle.description.training
    if seen is not None:
        training = training.model_copy(update={"cases": seen})
    if "fold" in changes:
        training = training.model_copy(update={"fold": changes.pop("fold")})
    description = bundle.description.model_copy(update={"training": training, **changes})
    write_bundle(path, state=bundle.state, description=description)
    return path


@pytest.fixture
def bundle(run: Path, tmp_path: Path) -> Bundle:
    """The trained model, as if nothing had been fitted."""
    return read_bundle(
        change(
            read_bundle(run),
            tmp_path / "mine" / "model.safetensors",
            calibration=Calibration(),
            postprocessing=Postprocessing(),
            fingerprint=None,
        )
    )


def calibrate(bundle: Bundle | Path, work: Path, *options: str | Path) -> int:
    """`uumamba calibrate` on the CPU."""
    model = bundle if isinstance(bundle, Path) else bundle.path
    return uumamba("calibrate", "--model", model, "--work", work, "--dataset", "acdc", "--device", "cpu", *options)


def test_a_training_ends_with_a_calibrated_bundle(run: Path) -> None:
    kept = read_bundle(run).description.calibration
    record = read_json(run / "calibration.json")
    assert set(kept.cases) == set(read_json(run / "run.json")["split"]["validation"])
    assert record["temperature"] == kept.temperature == read_json(run / "run.json")["finished"]["temperature"]
    assert (record["after"][REGION]["ece"], record["before"][REGION]["nll"]) == (kept.ece_after, kept.nll_before)
    assert "expected calibration error within 10 mm of a structure" in (run / "log.txt").read_text()
    assert all((run / name).is_file() for name in FILES)


def test_the_command_finds_what_the_training_found(
    bundle: Bundle, run: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(bundle, trained) == 0
    expected = read_bundle(run).description
    after = read_bundle(bundle.path)
    assert after.description == expected
    assert all(torch.equal(after.state[name], bundle.state[name]) for name in bundle.state)
    ours, theirs = (read_json(folder / "calibration.json") for folder in (bundle.path.parent, run))
    assert {name: ours[name] for name in theirs} == theirs
    assert ours["model"]["sha256_before"] == bundle.sha256
    shown = capsys.readouterr().out
    for part in (
        "before",
        "after",
        REGION,
        EVERYWHERE,
        "AUROC",
        "all structures",
        "Post-processing:",
        "Research use only",
    ):
        assert part in shown


def test_the_files_say_what_was_counted(bundle: Bundle, trained: Path, tmp_path: Path) -> None:
    output = tmp_path / "elsewhere"
    assert calibrate(bundle, trained, "--output", output, "--fold", "0") == 0
    record = read_json(output / "calibration.json")
    assert not (bundle.path.parent / "calibration.json").exists()
    assert all((output / name).is_file() for name in FILES)
    assert (record["format_version"], record["fold"], record["fitted_on"]) == (2, "0", REGION)
    assert (record["patients"], len(record["cases"])) == (1, 2)
    assert record["cross_fitted"] is None
    assert record["cross_fitted_reason"] == "needs two patients with voxels near structures"
    for region, voxels in record["voxels"].items():
        assert 0 < voxels["drawn"] <= voxels["of"]
        bins = record["after"][region]["bins"]
        assert sum(row["voxels"] for row in bins) == pytest.approx(voxels["of"])
    assert record["postprocessing"]["cases"] == 2
    assert len(record["postprocessing"]["decisions"]) >= 4
    confidence = record["confidence"]
    assert [summary["structure"] for summary in confidence["summaries"]] == ["RV", "MYO", "LV", "all structures"]
    assert len(confidence["cases"]) == 6
    with (trained / "acdc" / "runs" / "acdc" / "fold_0" / "validation.csv").open() as table:
        first = table.readlines()[1].rstrip().split(",")
    dice = [row["dice"] for row in confidence["cases"] if row["case"] == first[0]]
    assert dice == pytest.approx([float(text) if text else None for text in first[1:]])


def test_training_without_it_leaves_temperature_1(my_work: Path) -> None:
    assert program.train(my_work, overrides=("training.calibrate=false", "training.epochs=1")) == 0
    run = program.run_folder(my_work)
    assert read_bundle(run).description.calibration == Calibration()
    assert read_json(run / "run.json")["finished"]["temperature"] is None
    assert not any((run / name).exists() for name in FILES)


def test_a_model_trained_on_every_case_has_none_left(
    bundle: Bundle, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = change(bundle, bundle.path, fold="all")
    assert calibrate(every, trained) == 2
    assert "was trained on every case (fold all), so none is left to calibrate it with" in capsys.readouterr().err
    assert calibrate(every, trained, "--fold", "all") == 2
    assert "--fold all: holds out no case to calibrate with; name a fold from 0" in capsys.readouterr().err
    assert read_bundle(every).description.calibration == Calibration()


def test_cases_that_were_trained_on_are_refused_by_name(
    bundle: Bundle, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(bundle, trained, "--fold", "1") == 2
    said = capsys.readouterr().err
    first = read_json(trained / "acdc" / "folds.json")[1]["validation"][0]
    assert f"was trained on 2 of the 2 cases of fold 1, or on their patients ({first}, " in said
    held_out = read_json(trained / "acdc" / "folds.json")[0]["validation"]
    sibling = change(bundle, tmp_path / "sibling.safetensors", seen=(held_out[0],))
    assert calibrate(sibling, trained) == 2
    assert f"was trained on 2 of the 2 cases of fold 0, or on their patients ({held_out[0]}, {held_out[1]})" in (
        capsys.readouterr().err
    )


def test_a_model_that_does_not_say_what_it_saw(
    bundle: Bundle, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = change(bundle, tmp_path / "unknown" / "model.safetensors", seen=(), fold=None)
    assert calibrate(unknown, trained) == 2
    assert "does not say on which fold it was trained; name a fold with --fold" in capsys.readouterr().err
    assert calibrate(unknown, trained, "--fold", "0") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "that it never saw those of fold 0 is not checked" in said
    assert "gets no fingerprint, so `uumamba infer` cannot compare images: it does not name its training cases" in said
    assert read_bundle(unknown).description.fingerprint is None


def test_training_cases_that_are_not_stored_give_no_fingerprint(
    bundle: Bundle, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = change(bundle, tmp_path / "elsewhere" / "model.safetensors", seen=("a", "b"))
    assert calibrate(elsewhere, trained) == 0
    assert "cannot compare images: 2 of its training cases are not stored" in " ".join(capsys.readouterr().err.split())
    assert read_bundle(elsewhere).description.fingerprint is None


def test_cases_of_another_preprocessing_are_refused(
    bundle: Bundle, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = bundle.description.plan.model_copy(update={"spacing_mm": (20.0, 1.0, 1.0)})
    other = change(bundle, tmp_path / "other.safetensors", plan=plan)
    assert calibrate(other, trained) == 2
    assert "its plan has other spacing_mm ((20.0, 1.0, 1.0)) than the preprocessed cases" in capsys.readouterr().err
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert calibrate(bundle, trained, "--output", taken) == 2
    assert f"{taken}: is a file; name a folder with --output" in capsys.readouterr().err


def test_patients_are_cases_where_no_record_names_them(bundle: Bundle, trained: Path, tmp_path: Path) -> None:
    """Two cases are then two patients, so that one half can judge the other."""
    work = Path(shutil.copytree(trained, tmp_path / "work"))
    (work / "acdc" / "record.json").unlink()
    assert calibrate(bundle, work) == 0
    record = read_json(bundle.path.parent / "calibration.json")
    assert record["patients"] == 2
    assert len(record["cross_fitted"]["temperatures"]) == 2
    assert record["cross_fitted_reason"] is None


def test_a_network_whose_output_is_not_finite_is_no_reason_to_lose_a_training(
    bundle: Bundle, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    huge = {name: tensor * 1e30 if tensor.is_floating_point() else tensor for name, tensor in bundle.state.items()}
    write_bundle(bundle.path, state=huge, description=bundle.description)
    before = bundle.path.read_bytes()
    assert calibrate(bundle, trained) == 1
    assert "the network's output is not finite (in 2 of 2 cases), so its probabilities cannot be" in (
        capsys.readouterr().err
    )
    assert bundle.path.read_bytes() == before
