"""The experiments run from beginning to end on generated images, and go on where they were stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PIPELINES = Path(__file__).parents[1] / "pipelines"
TINY = {
    "acdc": ("acdc-small", "[32,32]"),
    "imagecas": ("imagecas-small", "[16,16,16]"),
    "aorta": ("aorta-small", "[16,16,16]"),
}

pytestmark = pytest.mark.skipif(not PIPELINES.is_dir(), reason="pipelines are not part of an installed package")


def run(name: str, work: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One script with `--smoke`, and the smallest patches and networks."""
    config, patch = TINY[name]
    tiny = ("--config", config, "--set", f"plan.patch_size={patch}", "--set", "network.mamba=none")
    command = [sys.executable, str(PIPELINES / f"{name}.py"), "--smoke", "--work", str(work), *tiny, *options]
    environment = os.environ | {"PYTHONPATH": str(PIPELINES.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)


def evaluated(work: Path, name: str) -> set[str]:
    """The cases of the last evaluation."""
    results = work / name / "results" / TINY[name][0]
    document = json.loads((results / "test_evaluation" / "evaluation.json").read_text())
    assert (results / "test_evaluation" / "report.html").is_file()
    return {score["case"] for score in document["cases"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_smoke(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    folds = json.loads((tmp_path / name / "folds.json").read_text())
    tested = {case for fold in folds for case in fold["test"]}
    assert tested
    assert evaluated(tmp_path, name) == tested
    for fold in folds:
        assert not set(fold["test"]) & {*fold["training"], *fold["validation"]}


def test_what_is_asked_for_must_be_clear(tmp_path: Path) -> None:
    done = run("acdc", tmp_path, "--data", str(tmp_path))
    assert done.returncode == 2
    assert "give either --data or --smoke" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_script_is_short_enough_to_be_read() -> None:
    for name in (*TINY, "experiment"):
        lines = (PIPELINES / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) < (120 if name == "experiment" else 80)
