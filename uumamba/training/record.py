"""The run record: what a run was made of, so that it can be judged and repeated."""

import resource
import sys
from datetime import UTC, datetime
from typing import Any

import torch

from uumamba.core.versions import git_state, installed_versions


def describe_machine(device: torch.device) -> dict[str, Any]:
    """The device by name and the number of torch's threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {"device": device.type, "device_name": name, "threads": torch.get_num_threads()}


def describe_program() -> dict[str, Any]:
    """Versions, the checkout's state and the present time (UTC)."""
    return {
        "versions": installed_versions(),
        "git": git_state(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def peak_memory_gb(device: torch.device) -> float:
    """The most memory held at once so far, in GB (10^9 bytes): on the GPU, or of this process alone on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    kilobytes_or_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes_or_bytes * (1 if sys.platform == "darwin" else 1024) / 1e9
