"""One of two processes of a distributed run: `python two_processes.py STORE RANK`; exits 0 if all holds.

Checked: the plain and the synchronised sharpness-aware rule on two halves of a batch give the whole batch's weights;
each rule reduces as often as it says; a loss that is not finite on one process, in any evaluation, makes both skip.
"""

import datetime
import math
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed.nn  # its functions' defaults keep a group for good if they are made while there is one
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).parents[2]))

from uumamba.optim.optimizers import SGDSettings
from uumamba.optim.plain import plain
from uumamba.optim.sharpness_aware import sharpness_aware
from uumamba.optim.step import Rule, Step


class Value(NamedTuple):
    """A loss as an objective returns it."""

    total: Tensor
    terms: dict[str, Tensor]


class Objective:
    """Mean squared error, infinite at one evaluation."""

    def __init__(self, spoil_at: int = -1) -> None:
        self.count = 0
        self.spoil_at = spoil_at

    def __call__(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Value:
        total = (model(batch[0]) - batch[1]).square().mean()
        total = total * (math.inf if self.count == self.spoil_at else 1.0)
        self.count += 1
        return Value(total, {})


def draw() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(8, 3, generator=random), torch.randn(8, 1, generator=random)


def network() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def local(model: nn.Module) -> AbstractContextManager[Any]:
    context: AbstractContextManager[Any] = model.no_sync()
    return context


def train(rule: Rule, rank: int, spoil_at: int = -1) -> tuple[nn.Module, int, list[bool]]:
    """Three steps on this process's half: the network, the number of reductions and which steps were skipped."""
    model = DistributedDataParallel(network())
    reductions: list[int] = []

    def count(state: Any, bucket: torch.distributed.GradBucket) -> torch.futures.Future[Tensor]:
        reductions.append(1)
        return allreduce_hook(state, bucket)

    model.register_comm_hook(None, count)
    step = Step(model, SGDSettings().build(model, nn.Module()), {"task": Objective(spoil_at)}, unsynchronised=local)
    half = tuple(part[rank * 4 : rank * 4 + 4] for part in draw())
    skipped = [step(rule, [half]).skipped for _ in range(3)]
    # What is wrapped lives on in cycles and holds the group; a thread of it that outlives Python aborts the process.
    del model.reducer, model.logger, model.process_group
    return model.module, len(reductions), skipped


def whole(rule: Rule) -> nn.Module:
    """Three steps on the whole batch in this process alone."""
    model = network()
    step = Step(model, SGDSettings().build(model, nn.Module()), {"task": Objective()})
    for _ in range(3):
        step(rule, [draw()])
    return model


def require(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(what)


def group_threads() -> int:
    """How many of this process's threads are the group's, where the system tells."""
    return sum("gloo" in (thread / "comm").read_text() for thread in Path("/proc/self/task").glob("*"))


def main(store: str, rank: int) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=datetime.timedelta(seconds=60)
    )
    for name, rule, expected, equal in (
        ("plain", plain(), 3, True),
        ("sharpness-aware", sharpness_aware(0.5), 3, False),
        ("synchronised", sharpness_aware(0.5, synchronise_ascent=True), 6, True),
    ):
        model, reductions, skipped = train(rule, rank)
        require(reductions == expected, f"{name}: {reductions} reductions")
        require(not any(skipped), f"{name}: skipped")
        pairs = list(zip(model.parameters(), whole(rule).parameters(), strict=True))
        close = all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in pairs)
        require(close == equal, f"{name}: the whole batch's weights: {close}")
        for parameter in model.parameters():
            other = parameter.detach().clone()
            torch.distributed.broadcast(other, src=0)
            require(torch.equal(parameter, other), f"{name}: processes differ")
    for evaluation in range(6):
        _, _, skipped = train(sharpness_aware(0.5), rank, spoil_at=evaluation if rank == 1 else -1)
        require(skipped == [step == evaluation // 2 for step in range(3)], f"spoilt at {evaluation}: {skipped}")
    torch.distributed.destroy_process_group()
    require(not (left := group_threads()), f"{left} threads of the group outlive it")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
