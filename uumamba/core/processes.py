"""The processes that train one network together, as torchrun or srun started them, and what they tell each other."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as distributed
from torch import Tensor

Launcher = Literal["none", "torchrun", "srun"]


@dataclass(frozen=True)
class Processes:
    """`count` processes over all machines, of which this one is number `rank`, and `local_rank` on its own machine."""

    launcher: Launcher = "none"
    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        self.gather(None)

    def gather(self, value: Any) -> list[Any]:
        """The `value` of every process, in their order, on every process."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value)
        return values

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of all processes' tensors of one shape on one kind of device; nothing flows back through it."""
        if self.count == 1:
            return tensor
        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total


ALONE = Processes()
"""One process, the usual case."""


def find_processes(environment: Mapping[str, str] = os.environ) -> Processes:
    """Who started this process, and beside which others; without torchrun or srun it is alone.

    A batch job of several tasks whose script calls the program without srun has one process, which is alone.
    """
    if "TORCHELASTIC_RUN_ID" in environment:
        names: tuple[Launcher, str, str, str] = ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1 and "SLURM_PROCID" in environment:
        names = ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return ALONE
    launcher, rank, count, local_rank = names
    return Processes(launcher, *(int(environment[name]) for name in (rank, count, local_rank)))


class BatchSum:
    """Sums over the batch of all processes: what this process adds up, plus what the others do.

    Differentiable: as each process's loss then holds the whole sum, the mean of all processes' gradients is that of one
    process with the whole batch. All processes must come here equally often.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self._is_local = processes.count == 1

    def __call__(self, own: Tensor) -> Tensor:
        """`own` summed over all processes, or `own` itself inside `local`."""
        total: Tensor = own if self._is_local else _SumOverProcesses.apply(own)  # type: ignore[no-untyped-call]
        return total

    @contextmanager
    def local(self) -> Iterator[None]:
        """Let each process keep to its own share of the batch for the block."""
        before, self._is_local = self._is_local, True
        try:
            yield
        finally:
            self._is_local = before


class _SumOverProcesses(torch.autograd.Function):
    """torch's own in `torch.distributed.nn` is deprecated without a successor that has this gradient."""

    @staticmethod
    def forward(_: Any, own: Tensor) -> Tensor:
        """Add up."""
        total = own.detach().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        """Every process's loss depends on every process's share."""
        total = gradient.detach().clone()
        distributed.all_reduce(total)
        return total
