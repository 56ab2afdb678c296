"""What sharpness-aware training is for, on generated hearts: a flatter minimum than the optimizer alone finds."""

from pathlib import Path

import pytest

from tests.fakes import program
from uumamba.core.files import read_json

# The reference's optimizer and rho, a small U-Net; fixed weights of the terms, so that both rules have one loss.
SETTINGS = (
    "network.mamba=none",
    "network.generation=v2",
    "loss.name=fixed",
    "augmentation.enabled=false",
    "plan.batch_size=4",
    "plan.base_features=8",
    "plan.max_features=32",
    "training.epochs=5",
    "training.iterations=40",
    "seed=2",
)


def top_eigenvalue(work: Path, rule: str) -> float:
    """Of a run with `rule`, after 200 steps from seed 2."""
    assert program.train(work, "--name", rule, overrides=(*SETTINGS, f"rule={{name: {rule}}}")) == 0
    run = program.run_folder(work, rule)
    assert program.uumamba("landscape", run, "--batches", "8") == 0
    record = read_json(run / "landscape.json")
    assert record["converged"]
    return float(record["top_eigenvalue"]["value"])


@pytest.mark.slow
def test_sharpness_aware_training_ends_in_a_flatter_minimum(my_work: Path) -> None:
    """Measured after 200 steps: 3.9 against 40.7, ratio 0.10 (longer runs, more seeds: `benchmarks/flatness.py`)."""
    plain, aware = (top_eigenvalue(my_work, rule) for rule in ("plain", "sharpness_aware"))
    assert 0 < aware <= 0.5 * plain
