"""The largest run that fits into the memory: what is given up first costs the least."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from uumamba.core.errors import ConfigError
from uumamba.training.concessions import Choice
from uumamba.training.forecast import Forecast, probes
from uumamba.training.step_cost import StepCost

_PATIENCE_SECONDS = 15.0
"""A step that is expected to take longer is foretold instead of measured."""

Measure = Callable[[Choice], StepCost | None]


@dataclass(frozen=True)
class Fit:
    """A choice that fits and what it costs; `measured` by a step of its own, or else foretold from smaller ones."""

    choice: Choice
    cost: StepCost
    measured: bool


def fit_to_memory(choices: Iterable[Choice], measure: Measure, limit_bytes: float, *, careful: bool) -> Fit:
    """The first of `choices` whose step stays within `limit_bytes`.

    `measure` gives a step's cost, or None if the device had too little memory for it. With `careful`, for a machine
    that kills a process which asks too much, no step but the smallest of each network is tried unless it is foretold to
    fit. Raises `ConfigError` if nothing fits.
    """
    forecast = Forecast()
    needed: int | None = None
    for choice in choices:
        fit = _foretell(choice, measure, limit_bytes, forecast) if careful else _measured(choice, measure)
        if fit is None:
            continue
        if fit.cost.peak_bytes <= limit_bytes:
            return fit
        needed = fit.cost.peak_bytes
        if fit.cost.held_bytes > limit_bytes:
            break
    wanted = "more" if needed is None else f"{needed / 1e9:.2f} GB"
    raise ConfigError(
        f"training needs {wanted} even after all that can be given up, and {limit_bytes / 1e9:.2f} GB may be used; "
        "raise hardware.memory_gb or free memory, or take a smaller network: plan.base_features, plan.patch_size"
    )


def _measured(choice: Choice, measure: Measure) -> Fit | None:
    cost = measure(choice)
    return None if cost is None else Fit(choice, cost, measured=True)


def _foretell(choice: Choice, measure: Measure, limit_bytes: float, forecast: Forecast) -> Fit | None:
    """The choice with its cost: measured if it is foretold to fit and to be quick, else foretold."""

    def is_welcome(step: Choice) -> bool:
        cost = forecast.of(step)
        return cost is not None and cost.peak_bytes <= limit_bytes and cost.seconds <= _PATIENCE_SECONDS

    for probe in probes(choice):
        if is_welcome(choice) or forecast.rules_out(choice, limit_bytes):
            break
        if forecast.knows(probe):
            continue
        if forecast.of(probe) is not None and not is_welcome(probe):
            break
        if forecast.is_empty:
            # The first step of all loads and compiles what the later ones find, which would pass for its own cost.
            measure(probe)
        if (cost := measure(probe)) is not None:
            forecast.learn(probe, cost)
            if cost.held_bytes > limit_bytes:
                return Fit(choice, cost, measured=False)
    if (foretold := forecast.of(choice)) is not None and not is_welcome(choice):
        return Fit(choice, foretold, measured=False)
    fit = _measured(choice, measure)
    if fit is not None:
        forecast.learn(choice, fit.cost)
    return fit
