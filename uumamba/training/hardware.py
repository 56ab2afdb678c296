"""Which device, precision and how many threads and processes a run uses."""

from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from uumamba.core.device import choose_device, computes_in_bf16
from uumamba.core.machine import available_cores
from uumamba.core.settings import Settings
from uumamba.optim.step import Precision
from uumamba.scan import ScanBackend


class HardwareSettings(Settings):
    """`auto` takes the first CUDA or ROCm device, else the CPU; bf16 where the device computes in it, else fp32.

    `workers` are the processes that prepare patches beside the training process; 0 prepares them inside it. `processes`
    is how many cases are preprocessed side by side; without it as many as there are cores, or fewer where the largest
    case would not fit the memory so often. `checkpoint_stages` are the network's stages (0 = full resolution) whose
    activations are computed again instead of kept: less memory, more time.
    With `fit` a run measures a step before it begins and gives up as little as its memory asks for
    (`training/fitted_run.py`); `memory_gb` (10^9 bytes) caps that memory: on a GPU torch's share of it, on the CPU the
    whole process. Without it nine tenths of what is free are used.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: PositiveInt | None = None
    workers: NonNegativeInt | None = None
    processes: PositiveInt | None = None
    scan_backend: ScanBackend = "auto"
    checkpoint_stages: tuple[NonNegativeInt, ...] = ()
    fit: bool = True
    memory_gb: PositiveFloat | None = None

    @model_validator(mode="after")
    def _check(self) -> "HardwareSettings":
        if self.memory_gb is not None and not self.fit:
            raise ValueError("memory_gb needs fit: true, which keeps to it; leave one of the two out")
        return self

    def resolve_device(self) -> torch.device:
        """The device that is used; asking for one that is not there is a `ConfigError`."""
        return choose_device(self.device)

    def resolve_precision(self, device: torch.device) -> Precision:
        """The precision of the network's forward pass on `device`; the scan and the loss stay in float32."""
        if self.precision != "auto":
            return self.precision
        return "bf16" if computes_in_bf16(device) else "fp32"

    def resolve_workers(self, device: torch.device) -> int:
        """How many processes prepare patches; none on the CPU, where they would take the network's cores."""
        if self.workers is not None:
            return self.workers
        return 0 if device.type == "cpu" else max(1, min(12, available_cores() - 1))
