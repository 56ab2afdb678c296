"""What a step will cost, told from smaller ones, so that nothing is tried that would not fit."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from uumamba.training.concessions import Choice
from uumamba.training.step_cost import StepCost

_PROBE_SHARE = 1 / 16
"""A probe's patch has about this share of the voxels at most, where the network's strides allow it."""
_PROBE_BATCHES = (1, 2, 8, 32)
_HOPELESS, _SURE = 1.5, 2

_Family = tuple[object, ...]


class Forecast:
    """Memory = a constant + a part per voxel of the micro-batch, for one network with one set of recomputed stages.

    A single measurement bounds what a larger step needs from above: all that came after the network is taken to grow.
    Two or more give a line through the nearest two, whose growth beyond them is raised by `margin`, a share.
    """

    def __init__(self, *, margin: float = 0.1) -> None:
        self._margin = margin
        self._known: dict[_Family, dict[int, StepCost]] = defaultdict(dict)

    def learn(self, choice: Choice, cost: StepCost) -> None:
        """Remember a measurement."""
        self._known[_family(choice)][_voxels(choice)] = cost

    @property
    def is_empty(self) -> bool:
        """Whether no step was measured yet."""
        return not any(self._known.values())

    def rules_out(self, choice: Choice, limit_bytes: float) -> bool:
        """Whether no further small step is worth its while: one is too large, or three tell of far too much."""
        known = self._known[_family(choice)]
        foretold = self.of(choice)
        if foretold is None:
            return False
        is_hopeless = len(known) > _SURE and foretold.peak_bytes > _HOPELESS * limit_bytes
        return is_hopeless or known[min(known)].peak_bytes > limit_bytes

    def knows(self, choice: Choice) -> bool:
        """Whether a step like this was measured."""
        return _voxels(choice) in self._known[_family(choice)]

    def of(self, choice: Choice) -> StepCost | None:
        """The cost of a choice; None if no step of its kind was measured."""
        known, wanted = self._known[_family(choice)], _voxels(choice)
        if not known:
            return None
        below = sorted(voxels for voxels in known if voxels <= wanted)
        nearest = below[-1] if below else min(known)
        cost, factor = known[nearest], wanted / nearest
        peak = cost.peak_bytes
        if nearest < wanted:
            larger = min((voxels for voxels in known if voxels > wanted), default=None)
            pair = (nearest, larger) if larger else (below[-2], nearest) if len(below) > 1 else None
            peak = cost.held_bytes + math.ceil((cost.peak_bytes - cost.held_bytes) * factor)
            if pair is not None:
                line = _line(pair[0], known[pair[0]].peak_bytes, pair[1], known[pair[1]].peak_bytes, wanted)
                growth = max(0.0, line - cost.peak_bytes) * (1 + self._margin)
                peak = min(peak, cost.peak_bytes + math.ceil(growth))
        return StepCost(cost.seconds * factor, cost.validation_seconds * factor, peak, cost.held_bytes)


def _line(x0: int, y0: int, x1: int, y1: int, wanted: int) -> float:
    """The line through two points at `wanted`; one that falls is taken as flat."""
    return y1 + max(0.0, (y1 - y0) / (x1 - x0)) * (wanted - x1)


def probes(choice: Choice) -> Iterator[Choice]:
    """Ever larger steps of the same network on a small patch, all smaller than `choice`."""
    topology = choice.plan.topology
    patch = _small_patch(topology.patch_size, topology.total_stride)
    for size in _PROBE_BATCHES:
        plan = choice.plan.model_copy(update={"topology": replace(topology, patch_size=patch), "batch_size": size})
        probe = choice.model_copy(update={"plan": plan, "accumulate": min(choice.accumulate, 2)})
        if 2 * _voxels(probe) > _voxels(choice):
            return
        yield probe


def _small_patch(patch: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """The patch with its axes halved, in whole strides and two at least, until it is small enough."""
    size = patch
    while math.prod(size) > _PROBE_SHARE * math.prod(patch):
        halves = tuple(min(n, max(2, n // (2 * step)) * step) for n, step in zip(size, strides, strict=True))
        if halves == size:
            break
        size = halves
    return size


def _family(choice: Choice) -> _Family:
    """What two steps must share so that one tells the other's memory: all but the size of the micro-batch."""
    shape = replace(choice.plan.topology, patch_size=(0,) * choice.plan.spatial_dims)
    return (shape, choice.checkpoint_stages, choice.accumulate > 1)


def _voxels(choice: Choice) -> int:
    return choice.plan.batch_size * math.prod(choice.plan.patch_size)
