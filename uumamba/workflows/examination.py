"""What `uumamba doctor` finds out about this machine, without judging it."""

import math
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import torch

from uumamba.core.device import choose_device, computes_in_bf16
from uumamba.core.machine import available_cores, memory_gb, processor
from uumamba.core.progress import CONSOLE
from uumamba.core.topology import Topology
from uumamba.core.versions import PACKAGES, installed_versions, unmet_requirements
from uumamba.filtering import BACKENDS as FILTER_BACKENDS
from uumamba.filtering import resolve_backend as resolve_filter
from uumamba.filtering.probe import worst_error as filter_error
from uumamba.models.umamba import UMamba
from uumamba.scan import BACKENDS, resolve_backend
from uumamba.scan.probe import FAILURES, SPEED_PROBLEM, TOLERANCE, Probe, Problem, failure, probe_backend

_TINY = Topology((8, 16, 16), (4, 8), ((3, 3, 3),) * 2, ((1, 1, 1), (2, 2, 2)), (1, 1), (1,))
_TORCHVISION_SECONDS = 120


@dataclass(frozen=True)
class DeviceFacts:
    """One device, as torch names it: memory in GB (10^9 bytes), what `auto` scans with, how each scan backend did.

    `network_problem` is why a tiny network does not train there, None if it does. `auto_filter` and `filters` say the
    same of the adaptive filter of FreqFusion decoders, which is not timed. Of several GPUs the backends are tried on
    the first, which runs take.
    """

    device: str
    model: str
    memory_gb: dict[str, float | None]
    bf16: bool
    auto: str
    network_problem: str | None
    scans: tuple[Probe, ...]
    auto_filter: str
    filters: tuple[Probe, ...]


@dataclass(frozen=True)
class TorchvisionFacts:
    """Whether torchvision can be imported: `works`, `broken` (`message` says why) or `absent`."""

    version: str | None
    state: str
    message: str | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that was found; a package that is not installed has the version None.

    `unmet` are uumamba's own requirements that are missing or of a wrong version, in words; None if uumamba is not
    installed, so that they are not known. `load` is how many processes wanted a core in the last minute, None where
    the system does not tell. Scans are timed with the sizes of `speed_problem`, its length apart.
    """

    python: str
    platform: str
    torch_build: str
    threads: int
    cores: int
    load: float | None
    nvidia_driver: bool
    packages: dict[str, str | None]
    unmet: tuple[str, ...] | None
    torchvision: TorchvisionFacts
    devices: tuple[DeviceFacts, ...]
    speed_problem: Problem = SPEED_PROBLEM


def examine() -> Facts:
    """Look at the software, and try the CPU and every GPU."""
    choose_device("auto")  # float32 then means here what it means in a run
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    versions = installed_versions()
    return Facts(
        python=platform.python_version(),
        platform=platform.platform(),
        torch_build=_torch_build(),
        threads=torch.get_num_threads(),
        cores=available_cores(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        nvidia_driver=shutil.which("nvidia-smi") is not None,
        packages={name: versions.get(name) for name in PACKAGES},
        unmet=_unmet(),
        torchvision=import_torchvision(),
        devices=tuple(_examine_device(device) for device in (torch.device("cpu"), *gpus)),
    )


def _torch_build() -> str:
    """What torch was built for: "CPU", or CUDA or ROCm with its version."""
    if torch.version.hip:
        return f"ROCm {torch.version.hip}"
    return f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"


def _unmet() -> tuple[str, ...] | None:
    try:
        return tuple(unmet_requirements(requires("uumamba") or ()))
    except PackageNotFoundError:
        return None


def import_torchvision() -> TorchvisionFacts:
    """Import torchvision in a process of its own: beside another build of torch it can break whoever imports it."""
    try:
        found = version("torchvision")
    except PackageNotFoundError:
        return TorchvisionFacts(None, "absent")
    command = [sys.executable, "-W", "ignore", "-c", "import torchvision"]
    with CONSOLE.status("torchvision"):
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_TORCHVISION_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return TorchvisionFacts(found, "broken", f"not imported within {_TORCHVISION_SECONDS} s")
    if result.returncode == 0:
        return TorchvisionFacts(found, "works")
    return TorchvisionFacts(found, "broken", (result.stderr.splitlines() or [f"exit code {result.returncode}"])[-1])


def _examine_device(device: torch.device) -> DeviceFacts:
    scans, filters = [], []
    for name in BACKENDS if not device.index else ():
        with CONSOLE.status(f"scan backend {name} on {device}, compiled first if it is new here"):
            scans.append(probe_backend(name, device))
    for name in FILTER_BACKENDS if not device.index else ():
        with CONSOLE.status(f"filter backend {name} on {device}, compiled first if it is new here"):
            filters.append(_probe_filter(name, device))
    try:
        model, memory, bf16 = *_model_and_memory(device), computes_in_bf16(device)
    except FAILURES as error:  # a card that is taken by others, or broken
        model, memory, bf16 = failure(error), dict.fromkeys(("total", "available", "limit")), False
    return DeviceFacts(
        device=str(device),
        model=model,
        memory_gb=memory,
        bf16=bf16,
        auto=resolve_backend("auto", device=device),
        network_problem=_network_problem(device),
        scans=tuple(scans),
        auto_filter=resolve_filter("auto", device=device),
        filters=tuple(filters),
    )


def _probe_filter(name: str, device: torch.device) -> Probe:
    reason = FILTER_BACKENDS[name].why_not(device, torch.float32)
    if reason is not None:
        return Probe(name, "unavailable", reason)
    try:
        error = filter_error(name, device)
    except FAILURES as problem:
        return Probe(name, "failed", failure(problem))
    if error <= TOLERANCE:
        return Probe(name, "good", None, error)
    wrong = f"is off by {error:.1e}, allowed is {TOLERANCE:.0e}" if math.isfinite(error) else "is not finite"
    return Probe(name, "wrong", wrong, error if math.isfinite(error) else None)


def _model_and_memory(device: torch.device) -> tuple[str, dict[str, float | None]]:
    if device.type != "cuda":
        return processor(), memory_gb()
    free, total = torch.cuda.mem_get_info(device)
    memory = {"total": round(total / 1e9, 2), "available": round(free / 1e9, 2), "limit": None}
    return torch.cuda.get_device_name(device), memory


def _network_problem(device: torch.device) -> str | None:
    """Why a tiny U-Mamba does not go forwards and backwards on the device; None if it does."""
    try:
        network = UMamba(_TINY, input_channels=1, classes=2, deep_supervision=False).to(device)
        loss = network(torch.linspace(-1, 1, 8 * 16 * 16, device=device).view(1, 1, 8, 16, 16)).square().mean()
        loss.backward()
    except FAILURES as error:
        return failure(error)
    return None if bool(torch.isfinite(loss)) else "its output is not finite"
