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
    "training.epochs=10",
    "training.iterations=40",
)


def top_eigenvalue(work: Path, rule: str, seed: int) -> float:
    """Of a run with `rule`, after 400 steps."""
    name = f"{rule}-{seed}"
    overrides = (*SETTINGS, f"seed={seed}", f"rule={{name: {rule}}}")
    assert program.train(work, "--name", name, overrides=overrides) == 0
    run = program.run_folder(work, name)
    assert program.uumamba("landscape", run, "--batches", "8") == 0
    record = read_json(run / "landscape.json")
    assert record["converged"]
    return float(record["top_eigenvalue"]["value"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sharpness_aware_training_ends_in_flatter_minima(my_work: Path) -> None:
    """Measured: 31.6, 40.0 and 68.1 against 15.8, 10.1 and 6.9 (ratios 0.50, 0.25 and 0.10, of the means 0.23)."""
    plain, aware = ([top_eigenvalue(my_work, rule, seed) for seed in range(3)] for rule in ("plain", "sharpness_aware"))
    assert sum(aware) <= 0.5 * sum(plain)
    assert all(flatter < sharper for flatter, sharper in zip(aware, plain, strict=True))
