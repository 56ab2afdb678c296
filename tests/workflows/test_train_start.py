"""How runs begin and which weights they leave: from a bundle, fold after fold, the best epoch's, averaged ones."""

from pathlib import Path

import pytest
import torch

from tests.fakes import program
from tests.fakes.folders import contents
from uumamba.core.files import read_json
from uumamba.core.processes import ALONE
from uumamba.inference.bundle import read_bundle
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.history import read_history
from uumamba.training.run_directory import RunDirectory


def test_a_bundle_to_start_from_is_named_in_record_and_log(my_trained: Path, run: Path) -> None:
    assert program.train(my_trained, "--init", str(run), "--name", "tuned", overrides=("training.epochs=1",)) == 0
    mine = program.run_folder(my_trained, "tuned")
    start = read_json(mine / "run.json")["init"]
    assert start["sha256"] == read_bundle(run).sha256
    assert start["differences"] == []
    assert f"starting from {run / 'model.safetensors'}" in (mine / "log.txt").read_text()
    first = read_history(mine / "history.csv")[0]["loss_training"]
    untrained = read_history(run / "history.csv")[0]["loss_training"]
    assert first is not None
    assert untrained is not None
    assert first < untrained
    assert program.train(my_trained, "--resume", "--name", "tuned", overrides=("training.epochs=1",)) == 0
    assert read_json(mine / "run.json")["init"] == start


def test_the_same_command_goes_on_with_a_run_that_began_from_a_bundle(
    my_trained: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --resume added, as every stopped run says; another bundle, or one where there was none, is another run."""
    mine = ("--init", str(run), "--name", "tuned")
    assert program.train(my_trained, *mine) == 0
    other = program.run_folder(my_trained, "tuned")
    assert program.train(my_trained, *mine, "--resume") == 0
    for began, name in ((run / "model.safetensors", "tuned"), ("no bundle", "acdc")):
        assert program.train(my_trained, "--init", str(other), "--name", name, "--resume") == 2
        error = capsys.readouterr().err
        assert f"cannot be resumed, as it began from {began}, not from {other / 'model.safetensors'}" in error


def test_a_bundle_that_is_not_there_deletes_no_run(my_trained: Path, tmp_path: Path) -> None:
    before = contents(program.run_folder(my_trained))
    assert program.train(my_trained, "--overwrite", "--init", str(tmp_path / "none.safetensors")) == 2
    assert contents(program.run_folder(my_trained)) == before


def test_folds_are_trained_one_after_the_other_and_summarised(
    my_trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fold 0 is finished already, so it is left as it is."""
    before = contents(program.run_folder(my_trained))
    assert program.train(my_trained, "--folds", "0,2") == 2
    assert "holds a run; go on with --resume" in capsys.readouterr().err
    assert program.train(my_trained, "--folds", "0,2", "--resume") == 0
    assert contents(program.run_folder(my_trained)) == before
    assert (program.run_folder(my_trained, fold="2") / "model.safetensors").is_file()
    summary = read_json(run_of_all(my_trained) / "cross_validation.json")
    assert list(summary["folds"]) == ["0", "2"]
    assert set(summary["missing_folds"]) == {"1", "3", "4"}
    assert (run_of_all(my_trained) / "cross_validation.png").is_file()


def test_finished_folds_are_held_to_their_settings(my_trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(my_trained, "--folds", "0,1", "--resume", overrides=("seed=9",)) == 2
    assert "cannot be resumed, as seed changed since it began" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["training.patience=3", "training.bundle=best"])
def test_without_held_out_cases_there_is_no_best_epoch_to_ask_for(
    setting: str, my_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.train(my_work, "--fold", "all", overrides=(setting,)) == 2
    assert "--fold all: holds no case out, so no epoch is the best" in capsys.readouterr().err


def test_to_resume_and_to_overwrite_is_refused(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(my_work, "--resume", "--overwrite") == 2
    assert "--resume and --overwrite: give one of them" in capsys.readouterr().err


def run_of_all(work: Path) -> Path:
    return program.run_folder(work).parent


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", "0-4", "--fold", "1"), "--fold and --folds: give one of them"),
        (("--folds", "3-9"), "there is no fold"),
        (("--folds", "1-2", "--resume"), "nothing to resume in these folds; start without --resume"),
    ],
)
def test_wrong_folds_are_refused(
    options: tuple[str, ...], message: str, my_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.train(my_work, *options) == 2
    assert message in capsys.readouterr().err
    assert not (my_work / "acdc" / "runs").exists()


def test_the_bundle_may_hold_the_best_epoch(my_work: Path) -> None:
    overrides = ("training.bundle=best", "training.epochs=3", "optimizer.learning_rate=0.5")
    assert program.train(my_work, overrides=overrides) == 0
    mine = program.run_folder(my_work)
    best = read_checkpoint(mine / "best.safetensors")
    state = read_bundle(mine).state
    assert all(torch.equal(state[name], value) for name, value in best["network"].items())
    assert f"the bundle holds the weights of epoch {best['epoch']}, the best" in (mine / "log.txt").read_text()
    assert read_bundle(mine).description.training.epochs == best["epoch"]
    assert read_json(mine / "run.json")["finished"]["bundle_epoch"] == best["epoch"]


def test_the_bundle_holds_averaged_weights_if_they_are_kept(my_work: Path) -> None:
    assert program.train(my_work, overrides=("training.average_decay=0.9",)) == 0
    mine = program.run_folder(my_work)
    last, state = read_checkpoint(mine / "last.safetensors"), read_bundle(mine).state
    averaged = last["average"]["weights"]
    assert read_bundle(mine).description.training.averaged
    assert all(torch.equal(state[name], value) for name, value in averaged.items())
    assert not all(torch.equal(last["network"][name], value) for name, value in averaged.items())


def test_two_runs_at_once_in_one_folder_are_refused(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = program.run_folder(my_work)
    with RunDirectory(mine).locked(ALONE, resume=False, overwrite=False):
        assert program.train(my_work) == 2
    assert f"uumamba: {mine}: another process is training there" in capsys.readouterr().err


def test_the_record_keeps_the_sessions_before(my_trained: Path) -> None:
    before = read_json(program.run_folder(my_trained) / "run.json")
    assert program.train(my_trained, "--resume") == 0
    after = read_json(program.run_folder(my_trained) / "run.json")
    assert [session["time"] for session in after["earlier_sessions"]] == [before["time"]]
    assert after["versions"] == before["versions"]
