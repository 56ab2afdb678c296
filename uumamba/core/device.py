"""The device that torch computes on."""

import torch

from uumamba.core.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """`auto` takes the first CUDA or ROCm device, else the CPU; a named device that is not there is a `ConfigError`."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device cuda: torch finds no CUDA or ROCm device here; use device auto or cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")
