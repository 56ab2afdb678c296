"""The device that torch computes on, and what float32 means there."""

import ctypes

import torch

from uumamba.core.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")

# malloc.h's names of the two options, and their values in bytes: measured on U-Mamba's 3D plan for ACDC, where larger
# blocks cost a gigabyte for a few per cent of the time.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 160 << 20, (1 << 31) - 1


def choose_device(name: str) -> torch.device:
    """`auto` takes the first CUDA or ROCm device, else the CPU.

    Float32 then means float32: the shortened TF32 of some GPUs is switched off, so that all devices agree. On
    the CPU the process keeps freed memory (`keep_freed_memory`). An unknown name, or a device that is not there, is a
    `ConfigError`.
    """
    if name not in DEVICES:
        raise ConfigError(f"device {name}: must be one of {', '.join(DEVICES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device cuda: torch finds no CUDA or ROCm device here; use device auto or cpu")
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    if available and name != "cpu":
        return torch.device("cuda")
    keep_freed_memory()
    return torch.device("cpu")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16; without them it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of torch do not tell; the log names the precision in any case.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def keep_freed_memory() -> bool:
    """Let this process use freed tensors' memory again instead of giving it back; False where malloc is not glibc's.

    Without it each feature map of a large network is new memory that the system must first clear: about a third of
    the time of a 3D forward pass of U-Mamba. Blocks above `_LARGEST_KEPT` still go back, or the heap would fall to
    pieces.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT))
