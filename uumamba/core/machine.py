"""What this machine is and how much of it this process has used, for run records."""

import os
import sys
from datetime import UTC, datetime
from typing import Any

import torch

from uumamba.core.versions import git_state, installed_versions


def available_cores() -> int:
    """The cores that this process may use, which in a container or a batch job are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
