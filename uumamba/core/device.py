"""The device that torch computes on, and what float32 means there."""

import torch

from uumamba.core.errors import ConfigError

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> torch.device:
    """`auto` takes the first CUDA or ROCm device, else the CPU.

    Float32 then means float32: the shortened TF32 of some GPUs is switched off, so that all devices agree. An unknown
    name, or a device that is not there, is a `ConfigError`.
    """
    if name not in DEVICES:
        raise ConfigError(f"device {name}: must be one of {', '.join(DEVICES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device cuda: torch finds no CUDA or ROCm device here; use device auto or cpu")
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bf16; without them it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of torch do not tell; the log names the precision in any case.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
