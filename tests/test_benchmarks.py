"""The benchmarks run and write what they promise; their figures in this size mean nothing."""

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.plan import fake_plan
from uumamba.filtering import BACKENDS as FILTER_BACKENDS
from uumamba.filtering import taps
from uumamba.filtering.window import Window
from uumamba.imaging.files import write_image
from uumamba.imaging.image import Image
from uumamba.inference.bundle import BundleDescription, write_bundle
from uumamba.inference.network import network_of
from uumamba.models.umamba import UMambaSettings
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


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRITON_INTERPRET": "0"}


def run(name: str, output: Path, *options: str, shows: str = "reference") -> dict[str, Any]:
    """Run one script in its tiny size, as a user does, see that its table `shows` a word, and read what it wrote."""
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), "--device", "cpu", "--quick"]
    # Not in Triton's interpreter, which takes minutes and has no speed to measure.
    environment = _environment()
    command += ["-o", str(output), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=output)
    assert result.returncode == 0, result.stderr
    assert shows in result.stdout
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
        # Times as short as these follow whatever else runs on the machine.
        assert all(math.isfinite(line["slope"]) for line in lines.values() if line["slope"] is not None)


def test_the_slope_is_the_power_of_the_length_that_the_cost_grows_with(scripts: Callable[[str], ModuleType]) -> None:
    cost_slope = scripts("scan").cost_slope
    assert cost_slope({10: 3.0, 20: 6.0, 40: 12.0}) == pytest.approx(1)
    assert cost_slope({10: 1.0, 100: 100.0}) == pytest.approx(2)
    assert cost_slope({10: 1.0}) is None


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
    task = network.Task(network.QUICK, (8, 32, 32), training=False, device="cpu")
    truth = network.small_logits("chunked", task, torch.float32)
    found = network.one_round("chunked", task, 1.01 * truth)
    assert found == {"not_timed": "its logits are off by 9.9e-03, allowed is 1e-03"}


def test_filtering(tmp_path: Path) -> None:
    record = run("filtering", tmp_path, shows="taps")
    (shape,) = record["shapes"]
    assert shape["ways"].keys() == {*FILTER_BACKENDS, "blocks", "unfold"}
    timed = {name: each for name, each in shape["ways"].items() if each["not_timed"] is None}
    assert timed.keys() >= {"cpu", "taps", "blocks", "unfold"}
    for each in timed.values():
        assert each["parity_error"] < 1e-5
        for what in ("forward", "forward_backward"):
            assert 0 < each[what]["low"] <= each[what]["median"] <= each[what]["high"]
            assert each[what]["times_the_fastest"] >= 1
            assert each[what]["extra_bytes"] >= 0


def test_a_wrong_a_failing_and_a_far_too_large_filter_are_not_timed(
    scripts: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    filtering, cpu = scripts("filtering"), torch.device("cpu")
    (problem,) = filtering._QUICK.problems
    truth = filtering.results("taps", problem, cpu, torch.float64)

    def no_memory(*_: Any) -> Tensor:
        raise RuntimeError("no memory")

    def double(x: Tensor, kernels: Tensor, window: Window) -> Tensor:
        return 2 * taps.forward(x, kernels, window)

    for forward, words in ((no_memory, "RuntimeError: no memory"), (double, "it is off by 1.0e+00, allowed is 1e-05")):
        own = SimpleNamespace(why_not=lambda *_: None, forward=forward, backward=taps.backward)
        monkeypatch.setitem(FILTER_BACKENDS, "own", own)
        assert filtering.check("own", problem, filtering._QUICK, cpu, truth)["not_timed"] == words
    small = filtering.Plan((problem,), most_gigabytes=1e-4)
    assert "its products alone take" in filtering.check("unfold", problem, small, cpu, truth)["not_timed"]


def test_the_network_has_the_published_size(scripts: Callable[[str], ModuleType]) -> None:
    network = scripts("network")
    assert network.count_parameters(network.ACDC) == network.PARAMETERS == 58_770_036


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--training",)], ids=["forward", "training"])
def test_network(options: tuple[str, ...], tmp_path: Path) -> None:
    record = run("network", tmp_path, "--backends", "chunked", "reference", *options)
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


@pytest.mark.slow
def test_flatness(tmp_path: Path) -> None:
    record = run("flatness", tmp_path, shows="allowed ratio 0.5")
    (each,) = record["seeds"].values()
    plain, aware = each["plain"], each["sharpness_aware"]
    assert each["ratio"] == aware["top_eigenvalue"]["value"] / plain["top_eigenvalue"]["value"]
    assert plain["patches_sha256"] == aware["patches_sha256"]
    assert (plain["rule"]["name"], aware["rule"]["name"], aware["rule"]["rho"]) == ("plain", "sharpness_aware", 0.05)
    for seconds in record["seconds_per_step"].values():
        assert 0 < seconds["low"] <= seconds["median"] <= seconds["high"]


def ended(value: float, *, converged: bool = True, patches: str = "same") -> dict[str, Any]:
    """What the flatness benchmark keeps of a run whose top eigenvalue is `value`."""
    place = {"top_eigenvalue": {"value": value}, "converged": converged, "loss": 0.2, "patches_sha256": patches}
    return place | {"seconds_per_step": [0.1]}


@pytest.mark.parametrize(
    ("aware", "converged", "code", "words"),
    [(10.0, True, 0, "0.500"), (10.1, True, 1, "not flatter"), (1.0, False, 1, "not converged")],
)
def test_minima_that_are_not_flatter_end_the_benchmark_with_1(
    aware: float,
    converged: bool,
    code: int,
    words: str,
    scripts: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flatness = scripts("flatness")
    flat = flatness.compare({"plain": ended(100.0), "sharpness_aware": ended(1.0)})
    last = flatness.compare({"plain": ended(20.0), "sharpness_aware": ended(aware, converged=converged)})
    monkeypatch.setattr(flatness, "measure", lambda *_: enumerate((flat, last)))
    monkeypatch.setattr(sys, "argv", ["flatness.py", "--device", "cpu", "-o", str(tmp_path)])
    assert flatness.main() == code
    assert words in capsys.readouterr().out
    assert json.loads((tmp_path / "flatness.json").read_text())["seeds"]["1"]["ratio"] == aware / 20


def test_minima_measured_on_different_patches_are_not_compared(scripts: Callable[[str], ModuleType]) -> None:
    with pytest.raises(RuntimeError, match="different patches"):
        scripts("flatness").compare({"plain": ended(2.0), "sharpness_aware": ended(1.0, patches="other")})


def test_inference(tmp_path: Path) -> None:
    plan, images = fake_plan((32, 32)), tmp_path / "images"
    settings = UMambaSettings(mamba="none")
    torch.manual_seed(0)
    network = network_of(plan, settings, deep_supervision=False)
    bundle = tmp_path / "model.safetensors"
    write_bundle(bundle, state=network.state_dict(), description=BundleDescription(plan=plan, network=settings))
    for seed in (1, 2):
        noise = torch.randn(40, 36, 5, generator=torch.Generator().manual_seed(seed))
        write_image(images / f"{seed}.nii.gz", Image(noise.numpy(), np.diag([1.25, 1.5, 5.0, 1.0])))
    command = [sys.executable, str(ROOT / "benchmarks" / "inference.py"), "--model", str(bundle)]
    options = [
        "--images",
        str(images),
        "--threads",
        "1",
        "--rounds",
        "1",
        "--agreement",
        "0.99",
        "-o",
        str(tmp_path / "out"),
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "inference.json").read_text())
    assert record["agreement"] >= 0.99
    assert record["ratio"]["seconds"] > 0
    assert "times as long" in done.stdout


@pytest.mark.slow
def test_volumes_of_full_size_go_through_every_command(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "large.py"), "--quick", "--sets", "imagecas", "-o", "."]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment(), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "imagecas" in result.stdout
    (found,) = json.loads((tmp_path / "large.json").read_text())["sets"]
    assert list(found["steps"]) == ["preprocess", "train", "infer", "evaluate"]
    assert found["cases"] == 2
    for step in found["steps"].values():
        assert step["seconds"] > 0
        assert 0.1 < step["peak_gb"] < 20
