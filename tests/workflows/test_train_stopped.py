"""`uumamba train` as a process that is told to stop: what it says, its exit code, and that nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import program
from tests.fakes.folders import contents
from uumamba.inference.bundle import read_bundle
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.history import read_history
from uumamba.workflows import train, training_result, training_watch

ROOT = Path(__file__).parents[2]
LONG = ("training.iterations=60", "training.epochs=2", "hardware.threads=1", "rule.name=plain")


@pytest.fixture(autouse=True)
def handlers_as_they_were() -> Iterator[None]:
    """A stopped run leaves signals unheard, as its process is leaving."""
    numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def signal_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, during whose first call this process gets SIGUSR1."""
    told: list[bool] = []

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if not told:
            told.append(True)
            os.kill(os.getpid(), signal.SIGUSR1)
        return function(*arguments, **options)

    return wrapped


def start(work: Path, *overrides: str) -> subprocess.Popen[str]:
    """A training in a process group of its own that writes a checkpoint after every step and has taken some."""
    command = [sys.executable, "-W", "error", "-m", "uumamba", "train", "--dataset", "acdc", "--work", str(work)]
    process = subprocess.Popen(
        [*command, *program.settings(*LONG, "training.checkpoint_minutes=1e-9", *overrides)],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    last = program.run_folder(work) / "last.safetensors"
    deadline = time.monotonic() + 240
    while not last.exists() or read_checkpoint(last)["under_way"]["steps"] < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.slow
def test_a_whole_process_group_that_is_told_to_stop_ends_with_75(my_work: Path) -> None:
    """As torchrun and Slurm tell it: the processes that load the data hear the signals too, and twice."""
    process = start(my_work, "hardware.workers=2")
    os.killpg(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    error = process.communicate(timeout=240)[1]
    mine = program.run_folder(my_work)
    assert process.returncode == 75, error
    assert "Traceback" not in error
    assert f"uumamba: {mine}: stopped by SIGTERM after epoch" in error
    assert error.rstrip().endswith("go on with --resume")
    log = (mine / "log.txt").read_text()
    assert log.count("SIGTERM: the run stops after this step") == 1
    assert f"; the last checkpoint is {mine / 'last.safetensors'}" in log.splitlines()[-1]
    state = read_checkpoint(mine / "last.safetensors")
    steps = state["under_way"]["steps"]
    assert f"stopped by SIGTERM after epoch {state['epoch']}{f' and {steps} steps' if steps else ''};" in log


@pytest.mark.slow
def test_killed_or_stopped_the_run_ends_as_if_nothing_had_been(my_work: Path) -> None:
    """KILL while checkpoints are written without pause, TERM in between, then to the end."""
    assert program.train(my_work, "--name", "whole", overrides=LONG) == 0
    process = start(my_work)
    process.kill()
    process.communicate()
    mine, whole = program.run_folder(my_work), program.run_folder(my_work, "whole")
    assert 0 < read_checkpoint(mine / "last.safetensors")["under_way"]["steps"] < 60
    assert program.train(my_work, "--resume", overrides=LONG) == 0
    ours, theirs = read_bundle(mine).state, read_bundle(whole).state
    assert all(bool((ours[name] == tensor).all()) for name, tensor in theirs.items())
    rows = [
        [{key: value for key, value in row.items() if not key.startswith("seconds")} for row in read_history(path)]
        for path in (mine / "history.csv", whole / "history.csv")
    ]
    assert rows[0] == rows[1]
    assert not list(mine.glob(".*"))


def test_whoever_is_stopped_after_the_last_step_is_stopped_too(
    my_work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the last curves are drawn, say; the validation of whole volumes is then left for the next time."""
    monkeypatch.setattr(training_watch, "training_figure", signal_once(training_watch.training_figure))
    assert program.train(my_work, overrides=("training.epochs=1",)) == 75
    assert "stopped by SIGUSR1 after epoch 1; go on with --resume" in capsys.readouterr().err
    mine = program.run_folder(my_work)
    assert not (mine / "validation.csv").exists()
    assert program.train(my_work, "--resume", overrides=("training.epochs=1",)) == 0
    assert (mine / "validation.csv").exists()


def test_before_the_first_step_there_is_nothing_to_go_on_with(
    my_work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "build_training", signal_once(train.build_training))
    assert program.train(my_work) == 75
    assert "stopped by SIGUSR1; nothing is trained yet: start it again" in capsys.readouterr().err
    assert program.train(my_work) == 0


def test_a_run_that_was_to_be_replaced_is_not_taken_for_the_one_that_never_began(
    my_trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(program.run_folder(my_trained))
    monkeypatch.setattr(train, "build_training", signal_once(train.build_training))
    assert program.train(my_trained, "--overwrite", overrides=("seed=1",)) == 75
    assert "stopped by SIGUSR1; nothing is trained yet: start it again" in capsys.readouterr().err
    assert contents(program.run_folder(my_trained)) == before


def test_a_second_ctrl_c_says_what_is_left(my_work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_result, "validate_volumes", interrupt)
    assert program.train(my_work) == 130
    mine = program.run_folder(my_work)
    assert f"stopped at once; the last checkpoint is {mine / 'last.safetensors'}" in (mine / "log.txt").read_text()
