"""How much memory this process holds on a device, the most that it held since a mark, and how much it may hold.

On a GPU it is what torch has reserved there; on the CPU the resident size of the whole process, libraries included. The
CPU's high-water mark can be put back on Linux alone (proc(5), clear_refs); elsewhere there is nothing to measure with.
"""

import ctypes
from pathlib import Path

import torch

from uumamba.core.limits import ROOT, memory_limit_bytes
from uumamba.core.machine import memory_gb

_CLEAR_PEAK = "5"


def can_measure_peak(device: torch.device, root: Path = ROOT) -> bool:
    """Whether `forget_peak` and `peak_bytes` work here."""
    if device.type == "cuda":
        return True
    try:
        _clear_refs(root).write_text(_CLEAR_PEAK, encoding="ascii")
        _status_bytes("VmHWM", root)
    except (OSError, ValueError):
        return False
    return True


def forget_peak(device: torch.device) -> None:
    """Give freed memory back and let the high-water mark fall to what is held now."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return
    _give_back()
    _clear_refs(ROOT).write_text(_CLEAR_PEAK, encoding="ascii")


def peak_bytes(device: torch.device) -> int:
    """The most memory held since the last `forget_peak`."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else _status_bytes("VmHWM")


def held_bytes(device: torch.device) -> int:
    """The memory held now."""
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else _status_bytes("VmRSS")


def available_bytes(device: torch.device) -> int | None:
    """The memory that this process may hold, with what it holds already; None where the system does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + held_bytes(device)
    free_gb = memory_gb()["available"]
    bounds = [None if free_gb is None else int(free_gb * 1e9) + held_bytes(device), memory_limit_bytes()]
    return min((bound for bound in bounds if bound is not None), default=None)


def _give_back() -> None:
    """Return the heap's freed pages, which this package keeps (`core/device.py`), where malloc is glibc's."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return


def _clear_refs(root: Path) -> Path:
    return root / "proc" / "self" / "clear_refs"


def _status_bytes(name: str, root: Path = ROOT) -> int:
    """A size of /proc/self/status; `ValueError` if it is not there."""
    lines = (root / "proc" / "self" / "status").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
