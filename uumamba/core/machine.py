"""What this machine is and how much of it this process has used, for run records."""

import math
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from uumamba.core.limits import ROOT, core_quota, memory_limit_bytes
from uumamba.core.versions import git_state, installed_versions


def available_cores() -> int:
    """The cores that this process may use, which in a container or a batch job are fewer than the machine's."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def processor(root: Path = ROOT) -> str:
    """The processor's name as the system tells it."""
    lines = _lines(root / "proc" / "cpuinfo")
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name") and ":" in line)
    return next(names, platform.processor() or platform.machine())


def memory_gb(root: Path = ROOT) -> dict[str, float | None]:
    """Main memory in GB (10^9 bytes): `total`, `available` now, and the `limit` of this container or job.

    None where the system does not tell, or sets no limit.
    """
    known = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    pages = "SC_PHYS_PAGES" in known and "SC_PAGE_SIZE" in known
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if pages else None
    lines = _lines(root / "proc" / "meminfo")
    available = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    sizes = {"total": total, "available": available, "limit": memory_limit_bytes(root)}
    return {name: None if size is None else round(size / 1e9, 2) for name, size in sizes.items()}


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system's; none where there is no such file."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def describe_run(device: torch.device) -> dict[str, Any]:
    """Device, threads, versions, the checkout's state and the present time (UTC): the head of every run record."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
        "versions": installed_versions(),
        "git": git_state(),
    }


def peak_memory_gb(device: torch.device) -> float | None:
    """The most memory held at once so far, in GB (10^9 bytes): on the GPU, or by this process alone on the CPU.

    None where the operating system does not tell (Windows).
    """
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:
        return None
    return round(getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9, 2)
