"""Whether a scan backend is right and how fast it is, measured here: parity first, and what fails it is not timed."""

import math
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import UumambaError
from uumamba.scan.operator import BACKENDS, selective_scan

TOLERANCE = 1e-4
"""The largest error of a float32 backend, relative to the largest entry of each tensor's float64 truth."""

FAILURES = (UumambaError, RuntimeError, ImportError, OSError, subprocess.SubprocessError)
"""How what should run here fails: no compiler, a broken library, no memory, a kernel that does not start."""

# Values as in a freshly initialised Mamba block: step sizes log-uniform in this range.
_DELTA_MIN, _DELTA_MAX = 1e-3, 1e-1
_SHORTEST, _LONGEST = 1 << 10, 1 << 18
_REPEATS, _LONG_ENOUGH_SECONDS = 3, 0.1


@dataclass(frozen=True)
class Problem:
    """The sizes of a scan; `groups` 0 is B and C without a group axis, `bare` without D, z, delta_bias and softplus."""

    batch: int
    channels: int
    state: int
    length: int
    groups: int = 0
    bare: bool = False


PARITY_PROBLEMS = (Problem(2, 6, 16, 1031), Problem(1, 6, 5, 263, groups=3), Problem(3, 4, 16, 97, bare=True))
"""Small and odd: together they use every argument, with groups and without."""

SPEED_PROBLEM = Problem(1, 64, 16, _SHORTEST)
"""A layer of U-Mamba's first stage, whose channels are few and whose tokens are many."""


@dataclass(frozen=True)
class Parity:
    """The worst relative error (infinite if a number is not finite), and of what: an argument means its gradient."""

    error: float
    tensor: str

    @property
    def problem(self) -> str | None:
        """What is wrong in words; None within `TOLERANCE`."""
        if self.error <= TOLERANCE:
            return None
        what = self.tensor if self.tensor in ("output", "last state") else f"gradient of {self.tensor}"
        size = f"is off by {self.error:.1e}" if math.isfinite(self.error) else "is not finite"
        return f"{what} {size}, allowed is {TOLERANCE:.0e}"


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: median, fastest and slowest of `repeats`."""

    median: float
    low: float
    high: float
    repeats: int


@dataclass(frozen=True)
class Probe:
    """What was found out about one backend on one device.

    `status`: `good`; `wrong` numbers; `failed` with an error; `unavailable`, which is not a fault. `reason` says why
    for all but `good`. Times are of scans of `length` tokens with the other sizes of `SPEED_PROBLEM`.
    """

    backend: str
    status: Literal["good", "wrong", "failed", "unavailable"]
    reason: str | None = None
    error: float | None = None
    length: int | None = None
    forward: Timing | None = None
    forward_backward: Timing | None = None


def probe_backend(
    name: str, device: torch.device, *, repeats: int = _REPEATS, long_enough_seconds: float = _LONG_ENOUGH_SECONDS
) -> Probe:
    """Try a backend in float32: can it run, is it right, and how long does it take.

    The length is the first of 1024, 4096, ... for which forward and backward take `long_enough_seconds`, so that a
    slow backend is measured as quickly as a fast one.
    """
    reason = BACKENDS[name].why_not(device, torch.float32)
    if reason is not None:
        return Probe(name, "unavailable", reason)
    try:
        parity = worst_parity(name, device)
        if parity.problem is not None:
            return Probe(name, "wrong", parity.problem, parity.error if math.isfinite(parity.error) else None)
        problem = _long_enough(name, device, long_enough_seconds)
        arguments = draw(problem, device=device)
        calls = {"forward": forward(arguments, name), "backward": forward_backward(arguments, name)}
        times = time_calls(calls, device, repeats=repeats)
    except FAILURES as error:
        return Probe(name, "failed", failure(error))
    return Probe(name, "good", None, parity.error, problem.length, times["forward"], times["backward"])


def failure(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"


def draw(
    problem: Problem, *, device: torch.device, dtype: torch.dtype = torch.float32, seed: int = 0
) -> dict[str, Tensor]:
    """Arguments of `selective_scan` with gradients; the same float32 numbers whatever the device and dtype."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, state, length = problem.batch, problem.channels, problem.state, problem.length
    matrix = (batch, problem.groups, state, length) if problem.groups else (batch, state, length)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator)

    def step_sizes(*size: int) -> Tensor:
        exponents = torch.empty(size).uniform_(math.log(_DELTA_MIN), math.log(_DELTA_MAX), generator=generator)
        return exponents.exp_()

    arguments = {
        "u": normal(batch, channels, length),
        "delta": step_sizes(batch, channels, length) if problem.bare else normal(batch, channels, length),
        "A": -torch.arange(1.0, state + 1) * torch.exp(0.1 * normal(channels, state)),
        "B": normal(*matrix),
        "C": normal(*matrix),
    }
    if not problem.bare:
        arguments["D"] = normal(channels)
        arguments["z"] = normal(batch, channels, length)
        arguments["delta_bias"] = torch.log(torch.expm1(step_sizes(channels)))  # softplus gives the step size back
    return {name: tensor.to(device, dtype).requires_grad_() for name, tensor in arguments.items()}


def worst_parity(name: str, device: torch.device) -> Parity:
    """The worst of a backend's errors over `PARITY_PROBLEMS`, in float32 against the reference in float64."""
    return max((parity(name, problem, device) for problem in PARITY_PROBLEMS), key=lambda found: found.error)


def parity(name: str, problem: Problem, device: torch.device, *, truth: str = "reference") -> Parity:
    """A float32 backend's worst error in output, last state and gradients against `truth` in float64."""
    expected = _results(draw(problem, device=device, dtype=torch.float64), truth)
    errors = {}
    for tensor, ours in _results(draw(problem, device=device), name).items():
        true = expected.pop(tensor)
        error = float((ours - true).abs().max() / true.abs().max().clamp(min=1e-12))
        errors[tensor] = error if math.isfinite(error) else math.inf
    worst = max(errors, key=errors.__getitem__)
    return Parity(errors[worst], worst)


def _results(arguments: dict[str, Tensor], backend: str) -> dict[str, Tensor]:
    """Output, last state and the gradient of every argument.

    Gradients are the output's, which is all that a network asks for: some backends have none of the last state.
    """
    y, last_state = _scan(arguments, backend, return_last_state=True)
    weights = torch.linspace(-1, 1, y.numel(), device=y.device).view_as(y).to(y.dtype)
    gradients = torch.autograd.grad(y, list(arguments.values()), weights)
    return {
        "output": y.detach(),
        "last state": last_state.detach(),
        **dict(zip(arguments, gradients, strict=True)),
    }


def _scan(arguments: Mapping[str, Tensor], backend: str, *, return_last_state: bool) -> Tensor | tuple[Tensor, Tensor]:
    """The scan of arguments as drawn: a bare problem goes without softplus."""
    return selective_scan(
        **arguments,
        delta_softplus="delta_bias" in arguments,
        return_last_state=return_last_state,
        backend=backend,
    )


def forward(arguments: Mapping[str, Tensor], backend: str) -> Callable[[], object]:
    """A call that scans without gradients."""

    @torch.no_grad()
    def call() -> object:
        return _scan(arguments, backend, return_last_state=False)

    return call


def forward_backward(arguments: Mapping[str, Tensor], backend: str) -> Callable[[], object]:
    """A call that scans and finds the gradient of every argument."""
    weights = functional.silu(arguments["u"].detach())

    def call() -> object:
        y = _scan(arguments, backend, return_last_state=False)
        return torch.autograd.grad(y, list(arguments.values()), weights)

    return call


def time_calls(calls: Mapping[str, Callable[[], object]], device: torch.device, *, repeats: int) -> dict[str, Timing]:
    """Time calls in turns (A B A B ...) after one warm-up of each, so that whatever slows the machine slows all."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call, device))
    return {name: Timing(statistics.median(each), min(each), max(each), repeats) for name, each in seconds.items()}


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Seconds that one call takes, to the end of all its work on the device."""
    _synchronise(device)
    started = time.perf_counter()
    call()
    _synchronise(device)
    return time.perf_counter() - started


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _long_enough(name: str, device: torch.device, seconds: float) -> Problem:
    """The speed problem, lengthened fourfold until forward and backward take `seconds`."""
    forward_backward(draw(SPEED_PROBLEM, device=device), name)()  # compiles and loads what the first call needs
    length = _SHORTEST
    while length < _LONGEST:
        arguments = draw(replace(SPEED_PROBLEM, length=length), device=device)
        if seconds_of(forward_backward(arguments, name), device) >= seconds:
            break
        length *= 4
    return replace(SPEED_PROBLEM, length=length)
