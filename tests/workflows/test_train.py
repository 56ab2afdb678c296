"""One fold from a work folder to a bundle: what is written, what is exact, and what is never lost."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from tests.fakes import program
from tests.fakes.folders import contents
from uumamba.config import load_config
from uumamba.core.files import read_json, write_json
from uumamba.data.fingerprint import fingerprint_of_store
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.bundle import Bundle, read_bundle
from uumamba.training.history import read_history
from uumamba.workflows import training_result

ROOT = Path(__file__).parents[2]
FILES = {
    "best.safetensors", "calibration.json", "confidence.png", "config.yaml", "curves.png", "history.csv",
    "last.safetensors", "log.txt", "model.safetensors", "overlays", "reliability.png", "run.json", "validation.csv",
}  # fmt: skip

OF_VALIDATION = {
    "best.safetensors", "calibration.json", "confidence.png", "overlays", "reliability.png", "validation.csv",
}  # fmt: skip

# A finder that refuses what a training node need not have.
ONLY_WHAT_TRAINING_NEEDS = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("nnunetv2", "SimpleITK", "nibabel"):
            raise ModuleNotFoundError(f"a training node has no {name}")

sys.meta_path.insert(0, Refuse())
try:
    import nibabel
    sys.exit("nibabel was not refused")
except ModuleNotFoundError:
    pass
from uumamba.cli.app import main
main(sys.argv[1:])
"""


def stop(*_: object, **__: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


def same_weights(one: Bundle, other: Bundle) -> bool:
    """Whether two bundles hold bitwise the same tensors."""
    assert one.state
    return one.state.keys() == other.state.keys() and all(
        torch.equal(one.state[name], other.state[name]) for name in one.state
    )


def test_the_validation_may_be_stopped_once_the_training_is_done(
    my_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_result, "validate_volumes", stop)
    assert program.train(my_work) == 130
    bundle = read_bundle(program.run_folder(my_work))
    assert bundle.description.training.scores == {}


def test_a_run_leaves_its_files_and_a_history_row_an_epoch(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == FILES
    assert [row["epoch"] for row in read_history(run / "history.csv")] == [1, 2]
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "mean Dice" in (run / "log.txt").read_text()


def test_the_record_and_the_log_name_backend_device_precision_seed_split_and_data(run: Path, work: Path) -> None:
    record = read_json(run / "run.json")
    assert (record["device"], record["precision"], record["seed"], record["fold"]) == ("cpu", "fp32", 0, "0")
    assert record["scan_backend"] == "cpu"
    assert record["split"] == read_json(work / "acdc" / "folds.json")[0]
    assert len(record["data_hash"]) == 64
    assert record["finished"]["scores"].keys() == {"RV", "MYO", "LV"}
    assert "torch" in record["versions"]
    assert f"scan {record['scan_backend']}, precision fp32, cpu" in (run / "log.txt").read_text()


def test_the_saved_configuration_is_the_one_that_was_asked_for(run: Path) -> None:
    saved = load_config(run / "config.yaml")
    assert saved == load_config(ROOT / "configs" / "acdc.yaml", program.TINY)
    assert yaml.safe_load((run / "config.yaml").read_text()) == read_json(run / "run.json")["configuration"]


def test_validation_scores_every_held_out_case(run: Path) -> None:
    lines = (run / "validation.csv").read_text().splitlines()
    assert lines[0] == "case,RV,MYO,LV"
    assert [line.split(",")[0] for line in lines[1:]] == read_json(run / "run.json")["split"]["validation"]


def test_the_bundle_says_what_it_was_trained_on(run: Path) -> None:
    description, record = read_bundle(run).description, read_json(run / "run.json")
    assert description.plan.patch_size == (32, 32)
    assert list(description.training.cases) == record["split"]["training"]
    assert description.training.data_hash == record["data_hash"]
    assert description.training.scores == record["finished"]["scores"]
    assert "Bernard" in description.citation
    store = WorkFolder(run.parents[2]).store("2d")
    assert description.fingerprint == fingerprint_of_store(store, record["split"]["training"], description.plan)


def test_training_needs_nothing_but_the_work_folder_and_no_image_library(my_work: Path, run: Path) -> None:
    command = [
        sys.executable, "-W", "error", "-c", ONLY_WHAT_TRAINING_NEEDS,
        "train", "--dataset", "acdc", "--work", str(my_work), *program.settings("hardware.threads=1"),
    ]  # fmt: skip
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert same_weights(read_bundle(program.run_folder(my_work)), read_bundle(run))


def test_two_deterministic_runs_are_bitwise_equal_and_another_seed_is_not(my_trained: Path, run: Path) -> None:
    assert program.train(my_trained, "--name", "again") == 0
    assert same_weights(read_bundle(program.run_folder(my_trained, "again")), read_bundle(run))
    assert program.train(my_trained, "--overwrite", overrides=("seed=1",)) == 0
    assert not same_weights(read_bundle(program.run_folder(my_trained)), read_bundle(run))


def test_resuming_a_finished_run_validates_again_and_writes_the_same_weights(my_trained: Path, run: Path) -> None:
    mine = program.run_folder(my_trained)
    for lost in ("model.safetensors", "validation.csv"):
        (mine / lost).unlink()
    assert program.train(my_trained, "--resume") == 0
    assert same_weights(read_bundle(mine), read_bundle(run))
    assert (mine / "validation.csv").read_text() == (run / "validation.csv").read_text()
    assert (mine / "history.csv").read_text() == (run / "history.csv").read_text()
    assert "resumed after epoch 2" in (mine / "log.txt").read_text()


def test_a_run_may_be_resumed_on_another_machine(my_trained: Path, run: Path) -> None:
    assert program.train(my_trained, "--resume", overrides=("hardware.threads=1", "hardware.processes=2")) == 0
    assert same_weights(read_bundle(program.run_folder(my_trained)), read_bundle(run))


def change_settings(work: Path) -> tuple[str, ...]:
    """Ask for more epochs than the run began with."""
    assert work.is_dir()
    return ("training.epochs=3",)


def change_split(work: Path) -> tuple[str, ...]:
    """Let another fold be held out."""
    folds = read_json(work / "acdc" / "folds.json")
    write_json(work / "acdc" / "folds.json", [*folds[1:], folds[0]])
    return ()


def change_data(work: Path) -> tuple[str, ...]:
    """Put another case's voxels in the place of a training case's."""
    first, second = read_json(work / "acdc" / "folds.json")[0]["training"][:2]
    preprocessed = work / "acdc" / "preprocessed" / "2d"
    shutil.rmtree(preprocessed / first)
    shutil.copytree(preprocessed / second, preprocessed / first)
    return ()


def change_plan(work: Path) -> tuple[str, ...]:
    """Plan for another spacing."""
    plan = read_json(work / "acdc" / "plan_2d.json")
    plan["spacing_mm"][0] += 1
    write_json(work / "acdc" / "plan_2d.json", plan)
    return ()


@pytest.mark.parametrize(
    ("change", "named"),
    [(change_settings, "training"), (change_split, "split"), (change_data, "data_hash"), (change_plan, "plan")],
)
def test_a_resume_that_would_be_another_run_is_refused(
    change: Callable[[Path], tuple[str, ...]], named: str, my_trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = program.run_folder(my_trained)
    before = contents(mine)
    overrides = change(my_trained)
    assert program.train(my_trained, "--resume", overrides=overrides) == 2
    error = capsys.readouterr().err
    assert f"uumamba: {mine}: cannot be resumed, as {named}" in error
    where = f"--work {my_trained} --name acdc --fold 0"
    assert f"resume with --config {mine / 'config.yaml'} {where}, or begin anew with --overwrite" in error
    assert contents(mine) == before


def test_the_advice_of_a_refused_resume_works(my_trained: Path, run: Path) -> None:
    mine = program.run_folder(my_trained)
    arguments = ("--work", my_trained, "--config", mine / "config.yaml", "--name", "acdc", "--fold", "0", "--resume")
    assert program.uumamba("train", "--dataset", "acdc", *arguments) == 0
    assert same_weights(read_bundle(mine), read_bundle(run))


def test_a_run_that_is_there_is_kept_unless_told_otherwise(
    my_trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = program.run_folder(my_trained)
    before = contents(mine)
    assert program.train(my_trained) == 2
    assert (
        f"uumamba: {mine}: holds a run; go on with --resume, or replace it with --overwrite" in capsys.readouterr().err
    )
    assert contents(mine) == before


@pytest.mark.parametrize(
    "wrong",
    [
        ("plan.patch_size=[30,31]",),
        ("training.epochs=0",),
        ("plan.configuration=3d_fullres", "plan.patch_size=[8,32,32]", "planning.configurations=[3d_fullres]"),
        ("hardware.device=tpu",),
    ],
)
def test_a_wrong_setting_never_deletes_the_old_run(wrong: tuple[str, ...], my_trained: Path) -> None:
    mine = program.run_folder(my_trained)
    before = contents(mine)
    assert program.train(my_trained, "--overwrite", overrides=wrong) == 2
    assert contents(mine) == before


def test_a_folder_without_a_checkpoint_is_no_run(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = program.run_folder(my_work)
    mine.mkdir(parents=True)
    (mine / "log.txt").write_text("killed in the first epoch\n")
    assert program.train(my_work, "--resume") == 2
    assert f"uumamba: {mine}: nothing to resume, no last.safetensors there" in capsys.readouterr().err
    assert program.train(my_work) == 0
    assert {path.name for path in mine.iterdir()} == FILES
    assert "killed" not in (mine / "log.txt").read_text()


def test_all_trains_on_every_case_and_holds_none_out(my_work: Path) -> None:
    assert program.train(my_work, "--fold", "all", "--name", "mine") == 0
    mine = program.run_folder(my_work, "mine", "all")
    assert {path.name for path in mine.iterdir()} == FILES - OF_VALIDATION
    assert len(read_bundle(mine).description.training.cases) == 10


def test_the_run_is_named_after_its_configuration_unless_told(my_work: Path, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "configs" / "acdc-small.yaml", tmp_path / "quick.yaml")
    assert program.train(my_work, "--config", str(tmp_path / "quick.yaml"), overrides=("training.epochs=1",)) == 0
    assert (program.run_folder(my_work, "quick") / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["../elsewhere", "inner/folder", "..", ".", "{folder}"])
def test_a_run_is_never_put_outside_its_folder(
    name: str, my_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "fold_0" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    before = contents(my_work)
    assert program.train(my_work, "--overwrite", "--name", name.format(folder=tmp_path)) == 2
    assert "uumamba: --name" in capsys.readouterr().err
    assert contents(my_work) == before
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("fold", ["5", "-1", "00", "first"])
def test_an_unknown_fold_is_refused(fold: str, my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(my_work, "--fold", fold) == 2
    assert f"uumamba: --fold {fold}: must be 0 to 4, or all" in capsys.readouterr().err


def test_an_empty_work_folder_says_what_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(tmp_path) == 2
    assert "run `uumamba preprocess` for this data set first" in capsys.readouterr().err
    assert not list(tmp_path.rglob("run*"))


def test_a_damaged_case_is_named(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = read_json(my_work / "acdc" / "folds.json")[0]["training"][0]
    file = my_work / "acdc" / "preprocessed" / "2d" / case / "data.b2nd"
    file.write_bytes(file.read_bytes()[:-1])
    assert program.train(my_work) == 2
    assert f"uumamba: {file}: " in capsys.readouterr().err


def test_training_leaves_the_preprocessed_cases_as_they_are(work: Path, trained: Path) -> None:
    after = {name: digest for name, digest in contents(trained / "acdc").items() if not name.startswith("runs/")}
    assert after == contents(work / "acdc")
