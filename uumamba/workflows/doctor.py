"""uumamba doctor: what this machine can run, and how fast."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict

from uumamba.core.console import make_console
from uumamba.core.errors import UumambaError
from uumamba.scan.mamba_ssm import INSTALL
from uumamba.scan.probe import Probe
from uumamba.workflows.doctor_screen import show
from uumamba.workflows.examination import DeviceFacts, Facts, examine

# Backends that need a package which a plain install does not bring: the kind of device, the package, and the way.
_OPTIONAL = {
    "triton": ("cuda", "triton", "pip install triton: the fast scan on a GPU (Linux)"),
    "mamba_ssm": (
        "cuda",
        "mamba-ssm",
        f"{INSTALL}: the published kernel, for comparison; it is compiled, which needs nvcc",
    ),
}

# From this share of the cores on, other programs make measured speeds meaningless.
_BUSY = 0.5


def doctor(*, as_json: bool) -> None:
    """Examine this machine and print what was found, as tables or as one JSON object.

    Raises `UumambaError` if something that is needed does not work.
    """
    facts = examine()
    broken, hints = list(problems(facts)), list(advice(facts))
    if as_json:
        record = {"healthy": not broken, "problems": broken, "advice": hints} | asdict(facts)
        text = json.dumps(record, indent=2, allow_nan=False)
        make_console().print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        show(facts, broken, hints)
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise UumambaError(f"doctor: {broken[0]}{more}")


def problems(facts: Facts) -> Iterator[str]:
    """What is needed and does not work, a line each."""
    for requirement in facts.unmet or ():
        yield f"{requirement}: install uumamba again, in an environment of its own"
    for device in facts.devices:
        if device.network_problem:
            yield f"a network does not train on {device.device}: {device.network_problem}"
        for scan in device.scans:
            if scan.status in ("wrong", "failed"):
                what = f"scan backend {scan.backend} on {device.device}: {scan.status}: {scan.reason}"
                yield what + _way_out(device, scan)
        for each in device.filters:
            if each.status in ("wrong", "failed"):
                yield f"filter backend {each.backend} on {device.device}: {each.status}: {each.reason}"


def _way_out(device: DeviceFacts, scan: Probe) -> str:
    """Where `auto` takes the broken backend, the first good one to name instead."""
    good = [other.backend for other in device.scans if other.status == "good"]
    if scan.backend != device.auto or not good:
        return ""
    return f"; train with --set hardware.scan_backend={good[0]}"


def advice(facts: Facts) -> Iterator[str]:
    """What would make more possible, a line each; nothing of it is needed."""
    if all(device.device == "cpu" for device in facts.devices):
        yield from _gpu_advice(facts)
    for device in facts.devices:
        for scan in device.scans:
            kind, package, way = _OPTIONAL.get(scan.backend, ("", "", ""))
            here = kind == device.device.split(":")[0]
            if here and scan.status == "unavailable" and facts.packages.get(package) is None:
                yield way
    # Without these variables torch takes what it finds best: of two threads of a core, one.
    limits = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ]
    if limits and facts.threads < facts.cores:
        yield f"torch uses {facts.threads} of {facts.cores} cores: unset {limits[0]}, or set hardware.threads"
    if facts.load is not None and facts.load > facts.cores * _BUSY:
        yield f"the machine was busy (load {facts.load:.1f} on {facts.cores} cores), so the speeds here are too low"
    if facts.unmet is None:
        yield "uumamba runs without being installed, so that its requirements were not checked: pip install ."


def _gpu_advice(facts: Facts) -> Iterator[str]:
    if facts.nvidia_driver and facts.torch_build == "CPU":
        yield "an NVIDIA driver is here, but torch is built for the CPU: install a CUDA build (pytorch.org)"
    elif facts.torch_build != "CPU":
        yield f"torch is built for {facts.torch_build} but finds no GPU: look at its driver (nvidia-smi or rocm-smi)"
    else:
        yield "without a GPU train small networks, such as --config acdc-small; inference runs at full size"
