"""The state of torch's random numbers on the CPU and on one device.

Nothing here draws from Python's or numpy's global generators: samples have generators of their own (`core/seeding.py`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """Where the generators stood: the CPU's and, for another device, its own."""

    cpu: Tensor
    accelerator: Tensor | None

    @classmethod
    def capture(cls, device: torch.device) -> "RandomState":
        """Read the state now."""
        accelerator = None if device.type == "cpu" else torch.get_device_module(device).get_rng_state(device)
        return cls(torch.get_rng_state(), accelerator)

    def restore(self, device: torch.device) -> None:
        """Put the generators back to where they stood; a state of the CPU alone leaves another device's as it is."""
        torch.set_rng_state(self.cpu)
        if self.accelerator is not None and device.type != "cpu":
            torch.get_device_module(device).set_rng_state(self.accelerator, device)
