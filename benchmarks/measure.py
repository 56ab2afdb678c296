"""What the benchmarks share: the machine by name, processes of their own, extra memory, and the rates of the floor."""

import ctypes
import gc
import multiprocessing
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from uumamba.core.machine import available_cores, describe_run, memory_gb, processor
from uumamba.scan.probe import seconds_of

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# Half a megabyte at most per core, so that the numbers stay in its cache; torch runs on one core below 32768.
_ELEMENTS_PER_CORE = 1 << 16


def machine_record(device: torch.device) -> dict[str, Any]:
    """Which machine, which versions and when: without it no figure means anything."""
    record = describe_run(device) | {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": available_cores(),
        "memory_gb": memory_gb(),
    }
    if device.type == "cuda":
        record["gpu_memory_gb"] = round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1)
    return record


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` gives in a fresh process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def extra_memory_bytes(call: Callable[[], object], device: torch.device) -> int:
    """The most memory that one call holds beyond what was held before it; call this in a process of its own.

    Linux and CUDA only. Read from VmHWM and not from ru_maxrss: a child process inherits its parent's ru_maxrss.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what the warm-up freed would hide what the call takes
    _CLEAR.write_text("5", encoding="ascii")  # the high-water mark falls to what is held now
    before = peak_bytes(device)
    call()
    return peak_bytes(device) - before


def peak_bytes(device: torch.device) -> int:
    """The most memory held so far: by torch on the GPU, or by the whole process, libraries included, on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    (line,) = (line for line in _STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def copy_rate(device: torch.device, *, megabytes: int) -> float:
    """Bytes read and written per second by a copy far larger than the caches; the best of several."""
    source = torch.ones(megabytes << 18, device=device)
    target = torch.empty_like(source)
    seconds = [seconds_of(lambda: target.copy_(source), device) for _ in range(10)]
    return 2 * source.numel() * source.element_size() / min(seconds[1:])


def exponential_rate(device: torch.device) -> float:
    """Base-2 exponentials per second in float32, without memory traffic; the best of several.

    On the CPU torch's own exp2 within the caches; on a GPU the hardware's instruction on numbers in registers.
    """
    if device.type == "cuda":
        from exponentials import chain_on_gpu

        call, count = chain_on_gpu(device)
    else:
        numbers = torch.linspace(-1, 0, _ELEMENTS_PER_CORE * torch.get_num_threads())
        room, rounds = torch.empty_like(numbers), 50
        count = rounds * numbers.numel()

        def call() -> None:
            for _ in range(rounds):
                torch.exp2(numbers, out=room)

    seconds = [seconds_of(call, device) for _ in range(10)]
    return count / min(seconds[1:])
