"""How clinical measurements agree with the reference over many patients: two pages, a panel per measurement."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.style import COLOURS, new_figure, tidy

Values = Sequence[float | None]
Pairs = Mapping[str, tuple[Values, Values]]
"""A measurement's name with its unit, e.g. "LV EF, %", to (prediction, reference), one entry per patient."""

_LIMIT = 1.96
_COLUMNS = 3
_PANEL_INCHES = (3.6, 2.9)
_TITLE_INCHES = 0.4
_Panel = Callable[[Axes, str, np.ndarray, np.ndarray], None]


def correlation_figure(pairs: Pairs, *, title: str = "") -> Figure:
    """Prediction over reference, a panel per measurement, with the line of identity and Pearson's correlation.

    None or NaN on either side leaves a patient out, and the number drawn is written. Raises `InputError` if there is no
    measurement, or if the two sides of one differ in length.
    """
    return _panels(pairs, _draw_correlation, title)


def bland_altman_figure(pairs: Pairs, *, title: str = "") -> Figure:
    """Prediction minus reference over their mean, a panel per measurement (Bland and Altman, 1986).

    Lines show the bias and the limits of agreement, bias ± 1.96 standard deviations (n - 1). Gaps and errors as in
    `correlation_figure`.
    """
    return _panels(pairs, _draw_differences, title)


def _panels(pairs: Pairs, draw: _Panel, title: str) -> Figure:
    if not pairs:
        raise InputError("an agreement figure needs at least one measurement, got none")
    columns = min(_COLUMNS, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    width, height = _PANEL_INCHES
    figure = new_figure(width * columns, height * rows + _TITLE_INCHES, pad_inches=0.06, gap=0.04)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, (prediction, reference)) in zip(grid, pairs.items(), strict=False):
        draw(axes, name, *_complete(name, prediction, reference))
    for axes in grid[len(pairs) :]:
        axes.remove()
    figure.suptitle(title, fontsize=11)
    return figure


def _complete(name: str, prediction: Values, reference: Values) -> tuple[np.ndarray, np.ndarray]:
    if len(prediction) != len(reference):
        raise InputError(
            f"{name}: {len(prediction)} predictions and {len(reference)} references; give one of each per patient"
        )
    predicted, true = (
        np.array([np.nan if value is None else value for value in values], dtype=float)
        for values in (prediction, reference)
    )
    complete = np.isfinite(predicted) & np.isfinite(true)
    return predicted[complete], true[complete]


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    axes.scatter(x, y, color=COLOURS[5], s=20, alpha=0.7, linewidths=0)


def _draw_correlation(axes: Axes, name: str, prediction: np.ndarray, reference: np.ndarray) -> None:
    _draw_points(axes, reference, prediction)
    ends = np.concatenate([prediction, reference])
    if ends.size:
        margin = 0.05 * (np.ptp(ends) or 1.0)
        limits = (ends.min() - margin, ends.max() + margin)
        axes.plot(limits, limits, color="0.5", linewidth=1, linestyle="--", label="identity")
        axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal")
    axes.set_title(f"{name}\n{_correlation(prediction, reference)}, n = {len(prediction)}", fontsize=9)
    _label(axes, "reference", "prediction")


def _correlation(prediction: np.ndarray, reference: np.ndarray) -> str:
    """Pearson's r, or why there is none."""
    if len(prediction) < 3 or np.ptp(prediction) == 0 or np.ptp(reference) == 0:
        return "r not defined"
    return f"r = {np.corrcoef(prediction, reference)[0, 1]:.3f}"


def _draw_differences(axes: Axes, name: str, prediction: np.ndarray, reference: np.ndarray) -> None:
    difference, mean = prediction - reference, (prediction + reference) / 2
    _draw_points(axes, mean, difference)
    axes.axhline(0, color="0.7", linewidth=0.8)
    heading = "bias not defined"
    if difference.size:
        bias = float(difference.mean())
        axes.axhline(bias, color=COLOURS[2], linewidth=1.4)
        heading = f"bias {bias:+.1f}, n = {difference.size}"
        if difference.size > 1:
            spread = _LIMIT * float(difference.std(ddof=1))
            for limit in (bias - spread, bias + spread):
                axes.axhline(limit, color=COLOURS[2], linewidth=1.2, linestyle="--")
            reach = 1.25 * max(abs(bias) + spread, float(np.abs(difference).max())) or 1.0
            axes.set_ylim(-reach, reach)
            heading = f"bias {bias:+.1f}, limits {bias - spread:+.1f} to {bias + spread:+.1f}, n = {difference.size}"
    axes.set_title(f"{name}\n{heading}", fontsize=9)
    _label(axes, "mean of both", "prediction - reference")


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=8)
    tidy(axes)
