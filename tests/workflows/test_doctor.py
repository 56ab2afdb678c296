"""The doctor: facts of this machine, what it calls broken, what it advises, and how it prints."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tests.fakes.program import uumamba
from uumamba.core.versions import PACKAGES
from uumamba.filtering import BACKENDS as FILTER_BACKENDS
from uumamba.scan import BACKENDS, reference, resolve_backend
from uumamba.scan.probe import Probe, Timing
from uumamba.workflows.doctor import advice, problems
from uumamba.workflows.doctor_screen import show
from uumamba.workflows.examination import DeviceFacts, Facts, TorchvisionFacts, examine, import_torchvision

TIME = Timing(0.1, 0.09, 0.2, 3)
MEMORY = {"total": 16.0, "available": 8.5, "limit": None}
GOOD = Probe("chunked", "good", None, 1e-6, 65536, TIME, TIME)
FILTER = Probe("cpu", "good", None, 1e-6)
CPU = DeviceFacts("cpu", "Some CPU", MEMORY, True, "chunked", None, (GOOD,), "cpu", (FILTER,))
GPU = DeviceFacts("cuda:0", "Some GPU", MEMORY, True, "chunked", None, (GOOD,), "taps", ())
FACTS = Facts(
    python="3.11.0",
    platform="Linux-6.1-x86_64-with-a-rather-long-name-of-a-system-that-goes-on-and-on",
    torch_build="CPU",
    threads=4,
    cores=4,
    load=0.3,
    nvidia_driver=False,
    packages=dict.fromkeys(PACKAGES, "1.2.3"),
    unmet=(),
    torchvision=TorchvisionFacts("0.28.0", "broken", "RuntimeError: operator torchvision::nms does not exist"),
    devices=(CPU,),
)


def with_scan(device: DeviceFacts, *scans: Probe, **packages: str | None) -> Facts:
    """The facts with other scans on a device, which is the only one, and other packages."""
    return replace(FACTS, devices=(replace(device, scans=scans),), packages=FACTS.packages | packages)


@pytest.fixture(scope="module")
def examined() -> Facts:
    """What this machine is, found out once; not in Triton's interpreter, which would take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRITON_INTERPRET", raising=False)
        return examine()


@pytest.fixture
def this_machine(examined: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor tells what was found out before."""
    monkeypatch.setattr("uumamba.workflows.doctor.examine", lambda: examined)


@pytest.fixture
def few_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the reference and what auto takes in the table, which the doctor walks."""
    for name in BACKENDS.keys() - {"reference", resolve_backend("auto", device=torch.device("cpu"))}:
        monkeypatch.delitem(BACKENDS, name)


@pytest.mark.usefixtures("this_machine")
def test_json_is_one_object_with_every_backend_of_every_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["healthy"], found["problems"]) == (True, [])
    assert found["packages"]["torch"] == torch.__version__
    assert [device["device"] for device in found["devices"]][:1] == ["cpu"]
    assert [scan["backend"] for scan in found["devices"][0]["scans"]] == list(BACKENDS)
    assert found["devices"][0]["auto"] in BACKENDS
    filters = {each["backend"]: each["status"] for each in found["devices"][0]["filters"]}
    assert filters.keys() == FILTER_BACKENDS.keys()
    assert filters[found["devices"][0]["auto_filter"]] == "good"
    assert found["speed_problem"]["channels"] == 64


@pytest.mark.usefixtures("few_backends")
def test_a_backend_with_wrong_numbers_ends_in_exit_code_1_and_whole_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = SimpleNamespace(
        why_not=lambda *_: None, run=lambda inputs: tuple(2 * part for part in reference.run(inputs))
    )
    monkeypatch.setitem(BACKENDS, "double", wrong)
    assert uumamba("doctor", "--json") == 1
    output, error = capsys.readouterr()
    found = json.loads(output)
    assert found["healthy"] is False
    assert [scan["status"] for scan in found["devices"][0]["scans"]] == ["good", "good", "wrong"]
    assert error.splitlines()[-1].startswith("uumamba: doctor: scan backend double on cpu: wrong: ")


@pytest.mark.usefixtures("this_machine")
def test_tables_name_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("doctor") == 0
    shown = capsys.readouterr().out
    assert all(
        word in shown
        for word in ("torch", "reference", "works", "Adaptive filter", "taps", "Everything that is needed works.")
    )
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_healthy_machine_has_no_problems() -> None:
    assert list(problems(FACTS)) == []


def test_every_kind_of_problem_is_named() -> None:
    off = Probe("triton", "wrong", "output is off by 3.0e-01, allowed is 1e-04", 0.3)
    dead = Probe("cpu", "failed", "RuntimeError: no compiler")
    absent = Probe("mamba_ssm", "unavailable", "needs a GPU")
    device = replace(
        CPU,
        auto="triton",
        network_problem="RuntimeError: no kernel image",
        scans=(off, dead, absent, GOOD),
        filters=(absent, replace(dead, backend="taps")),
    )
    found = list(problems(replace(FACTS, devices=(device,), unmet=("monai 1.0 is installed, needed is >=1.6",))))
    assert found == [
        "monai 1.0 is installed, needed is >=1.6: install uumamba again, in an environment of its own",
        "a network does not train on cpu: RuntimeError: no kernel image",
        "scan backend triton on cpu: wrong: output is off by 3.0e-01, allowed is 1e-04; "
        "train with --set hardware.scan_backend=chunked",
        "scan backend cpu on cpu: failed: RuntimeError: no compiler",
        "filter backend taps on cpu: failed: RuntimeError: no compiler",
    ]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (FACTS, "without a GPU train small networks"),
        (replace(FACTS, nvidia_driver=True), "torch is built for the CPU: install a CUDA build"),
        (replace(FACTS, torch_build="CUDA 12.8"), "built for CUDA 12.8 but finds no GPU"),
        (replace(FACTS, threads=1), "torch uses 1 of 4 cores: unset OMP_NUM_THREADS"),
        (replace(FACTS, load=3.14), "the machine was busy (load 3.1 on 4 cores)"),
        (replace(FACTS, unmet=None), "its requirements were not checked"),
        (with_scan(GPU, Probe("triton", "unavailable", "no"), triton=None), "pip install triton"),
        (with_scan(GPU, Probe("mamba_ssm", "unavailable", "no"), **{"mamba-ssm": None}), "--no-build-isolation"),
    ],
)
def test_advice(facts: Facts, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert [line for line in advice(facts) if words in line]


def test_no_advice_for_what_does_not_fit_the_device_or_is_installed() -> None:
    assert list(advice(replace(FACTS, devices=(CPU, GPU), load=None))) == []
    gpu_only = with_scan(CPU, Probe("triton", "unavailable", "needs a GPU"), triton=None)
    assert not [line for line in advice(gpu_only) if "triton" in line]
    installed = with_scan(GPU, Probe("triton", "unavailable", "too old a GPU"))
    assert list(advice(installed)) == []


def test_the_longest_texts_stay_within_80_columns_and_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    limited = replace(CPU, memory_gb=MEMORY | {"limit": 4.0}, bf16=False)
    scans = (
        GOOD,
        Probe("mamba_ssm", "failed", "RuntimeError: " + "no way " * 30),
        Probe("triton", "wrong", "off", 0.3),
    )
    show(replace(FACTS, devices=(replace(limited, scans=scans), replace(GPU, scans=()))), ["a problem"], ["an advice"])
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    for words in ("at most 4 in this container", "no bf16 instructions", "Some GPU", "FAILS", "WRONG", "0.655"):
        assert words in shown
    assert shown.count("no way") >= 20
    assert "- a problem\n" in shown
    assert "Everything that is needed works" not in shown
    assert "uumamba does not need it" in " ".join(shown.replace("│", " ").split())


def test_torchvision_is_tried_in_a_process_of_its_own() -> None:
    found = import_torchvision()
    assert found.state in ("works", "broken", "absent")
    assert (found.message is not None) == (found.state == "broken")
