"""The benchmarks run and write what they promise; their figures in this size mean nothing."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from uumamba.scan import BACKENDS, reference
from uumamba.scan.inputs import ScanInputs
from uumamba.scan.probe import Problem

ROOT = Path(__file__).parents[1]
PNG = b"\x89PNG"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux' /proc")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script as Python does when it runs it: from its own folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def run(name: str, output: Path, *options: str) -> dict[str, Any]:
    """Run one script in its tiny size, as a user does, and read what it wrote."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--device", "cpu", "--quick"]
    # Not in Triton's interpreter, which takes minutes and has no speed to measure.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRITON_INTERPRET": "0"}
    command += ["-o", str(output), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=output)
    assert result.returncode == 0, result.stderr
    assert "reference" in result.stdout
    assert (output / f"{name}.png").read_bytes().startswith(PNG)
    record: dict[str, Any] = json.loads((output / f"{name}.json").read_text())
    assert record["machine"]["versions"]["torch"]
    assert record["machine"]["processor"]
    return record


@pytest.mark.slow
def test_scan(tmp_path: Path) -> None:
    record = run("scan", tmp_path, "--full")
    (shape,) = record["shapes"]
    timed = set(shape["backends"])
    assert {"chunked", "reference"} <= timed
    assert timed | set(record["not_timed"]) == set(BACKENDS)
    assert record["reference_forward_at_full_length_seconds"] > 0
    assert shape["baseline"] == "reference"
    for name, each in shape["backends"].items():
        assert each["parity_error"] < 1e-4
        for what in ("forward", "forward_backward"):
            assert 0 < each[what]["low"] <= each[what]["median"] <= each[what]["high"]
            assert each[what]["times_the_floor"] > 0
            assert (each[what]["times_faster_than_baseline"] == 1) == (name == "reference")
    assert record["memory"].keys() == timed
    assert record["memory"]["reference"]["length"] < record["memory"]["chunked"]["length"]
    assert all(memory["forward_extra_bytes"] > 0 for memory in record["memory"].values())
    for lines in record["lengths"].values():
        assert lines.keys() == timed | {"floor"}
        assert all(0 < line["slope"] < 2 for line in lines.values() if line["slope"] is not None)


def test_the_floor_is_the_larger_of_counted_bytes_and_counted_exponentials(
    scripts: Callable[[str], ModuleType],
) -> None:
    sequence, matrix = 4 * 2 * 3 * 7, 4 * 2 * 5 * 7
    rates = {"copy_bytes": 10.0, "exponentials": 1e9}
    floor = scripts("scan").count_floor(Problem(2, 3, 5, 7), rates)
    assert floor["forward"]["bytes"] == 4 * sequence + 2 * matrix
    assert floor["forward_backward"]["bytes"] == 11 * sequence + 6 * matrix
    assert floor["forward"]["exponentials"] == 2 * 3 * 5 * 7
    assert floor["forward"]["seconds"] == floor["forward"]["bytes"] / 10
    slow = scripts("scan").count_floor(Problem(2, 3, 5, 7), rates | {"exponentials": 1.0})
    assert slow["forward_backward"]["seconds"] == 2 * 2 * 3 * 5 * 7


def test_a_wrong_and_a_failing_scan_are_not_timed(
    scripts: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(_: ScanInputs) -> tuple[Tensor, Tensor]:
        raise RuntimeError("no compiler")

    def double(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
        y, last_state = reference.run(inputs)
        return 2 * y, last_state

    for run_own, words in ((no_compiler, "RuntimeError: no compiler"), (double, "is off by 1.")):
        monkeypatch.setitem(BACKENDS, "own", SimpleNamespace(why_not=lambda *_: None, run=run_own))
        assert words in scripts("scan").refusal("own", torch.device("cpu"))
    assert scripts("scan").refusal("chunked", torch.device("cpu")) is None


def test_a_network_with_wrong_logits_is_not_timed(scripts: Callable[[str], ModuleType]) -> None:
    network = scripts("network")
    task = network.Task((8, 32, 32), training=False, device="cpu")
    truth = network.small_logits("chunked", "cpu", torch.float32)
    found = network.one_round("chunked", task, 1.01 * truth)
    assert found == {"not_timed": "its logits are off by 9.9e-03, allowed is 1e-03"}


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--training",)], ids=["forward", "training"])
def test_network(options: tuple[str, ...], tmp_path: Path) -> None:
    record = run("network", tmp_path, "--backends", "chunked", "reference", *options)
    assert record["network"]["parameters"] == 58_770_036
    assert record["task"]["training"] == bool(options)
    assert list(record["backends"]) == ["chunked", "reference"]
    for each in record["backends"].values():
        assert each["not_timed"] is None
        assert each["error"] < 1e-3
        assert each["peak_gb"] > 0.2
        assert 0 < each["extra_gb"] < each["peak_gb"]
        if not options:
            parts = each["parts_seconds"]
            assert all(parts[part] > 0 for part in ("scan", "rest of Mamba", "convolutions", "norms"))
            assert sum(parts.values()) == pytest.approx(each["seconds"]["median"])
