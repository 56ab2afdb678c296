"""Several processes train one network, as torchrun or srun start them: the same result, and one run directory."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.fakes import program
from uumamba.core.files import read_json
from uumamba.inference.bundle import read_bundle
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.history import read_history

ROOT = Path(__file__).parents[2]
FUSED = "network.decoder={name: freqfusion, stages: all}"
GLOBAL_BATCH = ("plan.batch_size=4", "hardware.threads=1", "training.average_decay=0.9")


def command(work: Path, *options: str, overrides: tuple[str, ...] = ()) -> list[str]:
    """`uumamba train` in a process of its own."""
    settings = program.settings(*GLOBAL_BATCH, *overrides)
    return ["-m", "uumamba", "train", "--dataset", "acdc", "--work", str(work), *options, *settings]


def by_torchrun(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Two processes on this machine, each of which takes every warning for an error."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    starter = ["--no-python", sys.executable, "-W", "error"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*launch, *starter, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def by_srun(arguments: list[str]) -> list[subprocess.Popen[str]]:
    """Two processes with what srun tells each of them, on a machine without Slurm; they need nothing else of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        step = {"MASTER_PORT": str(free.getsockname()[1]), "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_STEP_ID": "0"}
    return [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-X", "faulthandler", *arguments],
            cwd=ROOT,
            env=os.environ
            | step
            | {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"}
            | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


@pytest.fixture(scope="module")
def alone(work: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of one process on the whole batch, by rule."""
    folder = Path(shutil.copytree(work, tmp_path_factory.mktemp("alone") / "work"))
    for rule in ("plain", "sharpness_aware"):
        overrides = (*GLOBAL_BATCH, FUSED, f"rule.name={rule}")
        assert program.train(folder, "--name", rule, overrides=overrides) == 0
    return {rule: program.run_folder(folder, rule) for rule in ("plain", "sharpness_aware")}


def distance(one: Path, other: Path) -> float:
    """The largest difference of any weight in the last checkpoints: network, moving average, and the loss's own."""
    first, second = (read_checkpoint(path / "last.safetensors") for path in (one, other))
    pairs = [(first[part], second[part]) for part in ("network", "loss")]
    pairs.append((first["average"]["weights"], second["average"]["weights"]))
    return max(float((a[name] - b[name]).abs().max()) for a, b in pairs for name in a)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "same"),
    [("{name: plain}", True), ("{name: sharpness_aware, synchronise_ascent: true}", True),
     ("{name: sharpness_aware}", False)],
)  # fmt: skip
def test_two_processes_are_one_with_the_whole_batch(
    rule: str, same: bool, my_work: Path, alone: dict[str, Path]
) -> None:
    """To rounding, with every layer; where each climbs its own share's loss the run is another as published."""
    result = by_torchrun(command(my_work, overrides=(f"rule={rule}", FUSED)))
    assert result.returncode == 0, result.stderr
    mine = program.run_folder(my_work)
    reference = alone["plain" if "plain" in rule else "sharpness_aware"]
    difference = distance(mine, reference)
    assert (difference < 1e-5) == same, difference
    record = read_json(mine / "run.json")
    assert (record["processes"], record["launcher"]) == (2, "torchrun")
    assert "2 processes by torchrun" in (mine / "log.txt").read_text()
    assert result.stderr.count("mean Dice of 2 whole validation volumes") == 1
    if same:
        ours, theirs = (read_history(path / "history.csv") for path in (mine, reference))
        for row, expected in zip(ours, theirs, strict=True):
            kept = {key: value for key, value in expected.items() if not key.startswith("seconds")}
            assert {key: row[key] for key in kept} == pytest.approx(kept, rel=1e-3, abs=1e-5)
        assert read_json(reference / "run.json")["finished"]["scores"] == pytest.approx(
            record["finished"]["scores"], abs=0.01
        )
        shared, alone_kept = (read_bundle(path).description.calibration for path in (mine, reference))
        assert shared.cases == alone_kept.cases
        assert shared.temperature == pytest.approx(alone_kept.temperature, rel=0.01)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_and_any_number_of_them_may_go_on(my_work: Path) -> None:
    """As srun starts them: one is told to stop, both leave with 75 from one place, and one process ends the run."""
    many = ("training.epochs=3", "training.iterations=40", "rule.name=plain")
    processes = by_srun(command(my_work, overrides=many))
    mine = program.run_folder(my_work)
    wait_for(mine / "last.safetensors", processes)
    processes[1].send_signal(signal.SIGTERM)
    errors = [error_of(process) for process in processes]
    assert [process.returncode for process in processes] == [75, 75], errors
    assert "stopped by SIGTERM after epoch" in errors[1]
    assert "stopped by a signal to another process" in errors[0]
    assert read_checkpoint(mine / "last.safetensors")["epoch"] < 3
    assert program.train(my_work, "--resume", overrides=(*GLOBAL_BATCH, *many)) == 0
    record = read_json(mine / "run.json")
    assert (record["processes"], record["earlier_sessions"][0]["processes"]) == (1, 2)
    assert program.train(my_work, "--name", "alone", overrides=(*GLOBAL_BATCH, *many)) == 0
    ours, theirs = (read_history(path / "history.csv") for path in (mine, program.run_folder(my_work, "alone")))
    for row, expected in zip(ours, theirs, strict=True):
        assert row["loss_training"] == pytest.approx(expected["loss_training"], rel=1e-4)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in read_bundle(mine).state.values())


@pytest.mark.slow
def test_folds_and_their_summary(my_work: Path) -> None:
    result = by_torchrun(command(my_work, "--folds", "0-1", overrides=("rule.name=plain",)))
    assert result.returncode == 0, result.stderr
    assert all((program.run_folder(my_work, fold=fold) / "model.safetensors").is_file() for fold in "01")
    summary = read_json(program.run_folder(my_work).parent / "cross_validation.json")
    assert summary["folds"] == ["0", "1"]


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_refused(my_work: Path) -> None:
    result = by_torchrun(command(my_work, overrides=("plan.batch_size=3",)))
    assert result.returncode != 0
    assert "batch_size must be a multiple of the 2 processes, got 3; change one of them" in result.stderr
    assert "Traceback" not in result.stderr.split("torch/distributed")[0]


def wait_for(path: Path, processes: list[subprocess.Popen[str]]) -> None:
    """Return when `path` is there; fail if a process ends before."""
    deadline = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


def error_of(process: subprocess.Popen[str]) -> str:
    """What a process wrote to its error stream once it has ended; one that does not end adds where its threads are."""
    try:
        return process.communicate(timeout=240)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.communicate()[1]
