"""Which of an operator's backends runs: the one that is named, or the first that can."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType

import torch

from uumamba.core.errors import ConfigError
from uumamba.core.log import log


class BackendChoice:
    """The backends of an operator by name, in the order in which "auto" tries them.

    Each module has why_not(device, dtype) -> str | None, why it cannot run there; one of them always can.
    """

    def __init__(self, operator: str, backends: Mapping[str, ModuleType]) -> None:
        self.operator = operator
        self.backends = backends
        self._first: dict[tuple[str, torch.dtype], str] = {}

    def resolve(self, name: str, *, device: torch.device, dtype: torch.dtype) -> str:
        """The backend that `name` ("auto" or a key of the table) stands for on this device and precision.

        Raises `ConfigError` if the name is unknown, or if the named backend cannot run there: nothing falls back
        silently.
        """
        if name == "auto":
            return self._first_that_runs(device.type, dtype)
        if name not in self.backends:
            known = ", ".join(self.backends)
            raise ConfigError(f"{self.operator} backend: unknown {name!r}; choose auto or one of {known}")
        reason = self.backends[name].why_not(device, dtype)
        if reason is not None:
            raise ConfigError(
                f"{self.operator} backend: {name!r} cannot run on {device} with {dtype}: {reason}; choose auto"
            )
        return name

    def _first_that_runs(self, device_type: str, dtype: torch.dtype) -> str:
        """What "auto" stands for, found and logged once for each kind of device and precision."""
        if (device_type, dtype) not in self._first:
            reasons = {
                name: backend.why_not(torch.device(device_type), dtype) for name, backend in self.backends.items()
            }
            chosen = next(name for name, reason in reasons.items() if reason is None)
            passed = list(reasons)[: list(reasons).index(chosen)]
            refusals = "".join(f"; not {name}: {reasons[name]}" for name in passed)
            log.info("%s backend on %s with %s: %s%s", self.operator, device_type, dtype, chosen, refusals)
            self._first[device_type, dtype] = chosen
        return self._first[device_type, dtype]


def why_not_by_triton(device: torch.device, dtype: torch.dtype) -> str | None:
    """Why Triton kernels in float32 cannot run there, or None: no Triton, another precision, or no GPU.

    On a CPU they run in Triton's interpreter only (TRITON_INTERPRET=1), which is for tests: it is very slow.
    """
    if dtype != torch.float32:
        return f"it computes in torch.float32, not in {dtype}"
    interpreted = device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
    if device.type != "cuda" and not interpreted:
        return f"it needs a CUDA or ROCm device, got {device.type}"
    return None if find_spec("triton") else "triton is not installed; pip install triton, on Linux"
