"""The largest run that fits into the memory: what is given up first costs the least."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uumamba.core.errors import ConfigError
from uumamba.training.concessions import Choice
from uumamba.training.forecast import Forecast, probes
from uumamba.training.step_cost import StepCost

_PATIENCE_SECONDS = 15.0
"""A step that is expected to take longer is foretold instead of measured."""
_SMALLEST = 2
"""So many steps of each network on a small patch, of one sample and of two, tell what is constant and what grows."""

Measure = Callable[[Choice], StepCost | None]


@dataclass(frozen=True)
class Fit:
    """A choice that fits and what it costs; `measured` by a step of its own, or else foretold from smaller ones."""

    choice: Choice
    cost: StepCost
    measured: bool


def fit_to_memory(choices: Sequence[Choice], measure: Measure, limit_bytes: float, *, careful: bool) -> Fit:
    """The first of `choices`, which need less and less memory, whose step stays within `limit_bytes`.

    `measure` gives a step's cost, or None if the device had too little memory for it. With `careful`, for a machine
    that kills a process which asks too much, no step is tried that is not foretold to fit, but for the smallest two of
    each network. Raises `ConfigError` if nothing fits.
    """
    forecast, best, needed = Forecast(), None, math.inf
    low, middle, high = 0, 0, len(choices)
    # By halves, since each choice costs time; but what was asked for comes first.
    while low < high:
        choice = choices[middle]
        fit = _foretell(choice, measure, limit_bytes, forecast) if careful else _measured(choice, measure)
        if fit is not None and fit.cost.peak_bytes <= limit_bytes:
            best, high = fit, middle
        else:
            low = middle + 1
        if fit is not None:
            needed = min(needed, fit.cost.peak_bytes)
            if fit.cost.held_bytes > limit_bytes:
                break
        middle = (low + high) // 2
    if best is not None:
        return best
    wanted = f"{needed / 1e9:.2f} GB" if math.isfinite(needed) else "more"
    raise ConfigError(
        f"training needs {wanted} even after all that can be given up, and {limit_bytes / 1e9:.2f} GB may be used; "
        "raise hardware.memory_gb or free memory, or take a smaller network: plan.base_features, plan.patch_size"
    )


def _measured(choice: Choice, measure: Measure) -> Fit | None:
    cost = measure(choice)
    return None if cost is None else Fit(choice, cost, measured=True)


def _foretell(choice: Choice, measure: Measure, limit_bytes: float, forecast: Forecast) -> Fit | None:
    """The choice with its cost: measured if it is foretold to fit and to be quick, else foretold."""

    def is_quick(step: Choice) -> bool:
        cost = forecast.of(step)
        return cost is None or cost.seconds <= _PATIENCE_SECONDS

    def fits(step: Choice) -> bool:
        cost = forecast.of(step)
        return cost is not None and cost.peak_bytes <= limit_bytes

    for number, probe in enumerate(probes(choice)):
        is_found = fits(choice) and is_quick(choice)
        is_too_much = number >= _SMALLEST and not (fits(probe) and is_quick(probe))
        if is_found or is_too_much or forecast.rules_out(choice, limit_bytes):
            break
        if forecast.knows(probe):
            continue
        if forecast.is_empty:
            # The first step of all loads and compiles what the later ones find, which would pass for its own cost.
            measure(probe)
        if (cost := measure(probe)) is not None:
            forecast.learn(probe, cost)
            if cost.held_bytes > limit_bytes:
                return Fit(choice, cost, measured=False)
    if (foretold := forecast.of(choice)) is not None and not (fits(choice) and is_quick(choice)):
        return Fit(choice, foretold, measured=False)
    fit = _measured(choice, measure)
    if fit is not None:
        forecast.learn(choice, fit.cost)
    return fit
