"""The command line inside the process, and settings under which the whole loop takes seconds."""

from pathlib import Path

import pytest

from uumamba.cli.app import main

TINY = (
    "planning.configurations=[2d]",
    "plan.configuration=2d",
    "plan.patch_size=[32,32]",
    "plan.batch_size=2",
    "plan.base_features=4",
    "plan.max_features=8",
    "plan.max_stages=3",
    "network.mamba=bottleneck",
    "training.epochs=2",
    "training.iterations=2",
    "training.validation_iterations=1",
    "deterministic=true",
    "hardware.device=cpu",
    "hardware.precision=fp32",
    "hardware.workers=0",
    "hardware.processes=1",
    "hardware.fit=false",
)


def uumamba(*arguments: str | Path) -> int:
    """Run one command line and give its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def settings(*overrides: str) -> tuple[str, ...]:
    """`--set` options: the tiny settings, then `overrides`, which win."""
    return tuple(word for override in (*TINY, *overrides) for word in ("--set", override))


def preprocess(data: Path, work: Path, *overrides: str) -> int:
    """`uumamba preprocess` with tiny settings."""
    return uumamba("preprocess", "--dataset", "acdc", "--data", data, "--work", work, *settings(*overrides))


def train(work: Path, *options: str, overrides: tuple[str, ...] = ()) -> int:
    """`uumamba train` with tiny settings; the run's folder is `run_folder(work)` unless an option changes it."""
    return uumamba("train", "--dataset", "acdc", "--work", work, *options, *settings(*overrides))


def run_folder(work: Path, name: str = "acdc", fold: str = "0") -> Path:
    """Where `train` puts a run."""
    return work / "acdc" / "runs" / name / f"fold_{fold}"
