"""Slices through a loss surface around a run's weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.reporting.style import COLOURS, new_figure, tidy

Losses = Sequence[float | None]
_LEVELS = 15


def landscape_figure(
    places: Sequence[float],
    losses: Losses,
    *,
    plane_places: Sequence[float] = (),
    plane: Sequence[Losses] = (),
    title: str = "",
    note: str = "",
) -> Figure:
    """The loss along a direction, and over a plane (a row for each place along the second direction) if there is one.

    Places are multiples of a direction whose filters are as long as the weights' own; the weights are at 0. None leaves
    a gap. `note`, such as the measured curvature, stands below the title. Raises `InputError` if nothing is finite.
    """
    curve = _numbers(losses)
    if not np.isfinite(curve).any():
        raise InputError("loss landscape: no loss is finite, so there is nothing to draw; check the run's weights")
    figure = new_figure(9.6 if len(plane) else 5.2, 4.2)
    line, *beside = figure.subplots(1, 2 if len(plane) else 1, squeeze=False).ravel()
    _draw_line(line, np.asarray(places), curve)
    for axes in beside:
        _draw_plane(axes, np.asarray(plane_places), np.array([_numbers(row) for row in plane]))
    figure.suptitle(f"{title}\n{note}" if note else title, fontsize=10)
    return figure


def _numbers(losses: Losses) -> NDArray[np.float64]:
    return np.array([np.nan if loss is None else loss for loss in losses], dtype=float)


def _draw_line(axes: Axes, places: NDArray[np.float64], losses: NDArray[np.float64]) -> None:
    axes.plot(places, losses, marker=".", color=COLOURS[5], linewidth=1.4)
    axes.axvline(0, color="0.5", linewidth=0.8, linestyle="--")
    axes.set_xlabel("multiples of a filter-normalised direction")
    axes.set_ylabel("loss")
    axes.set_title("Along one random direction", fontsize=10)
    tidy(axes)


def _draw_plane(axes: Axes, places: NDArray[np.float64], losses: NDArray[np.float64]) -> None:
    shown = np.ma.masked_invalid(losses)
    lowest, highest = float(shown.min()), float(shown.max())
    # Losses are far higher at the corners than near the weights, so the levels' ratios are equal where all are above 0.
    logarithmic = lowest > 0 and highest > lowest
    levels = np.geomspace(lowest, highest, _LEVELS) if logarithmic else np.linspace(lowest, highest + 1e-9, _LEVELS)
    filled = axes.contourf(places, places, shown, levels, cmap="viridis", norm=LogNorm() if logarithmic else None)
    axes.contour(filled, colors="white", linewidths=0.4)
    axes.plot(0, 0, marker="+", color="white", markersize=9)
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
    axes.set_title("Over a random plane", fontsize=10)
    axes.set_aspect("equal")
    bar = axes.figure.colorbar(filled, ax=axes, format="%.3g", ticks=levels[::2])
    bar.set_label("loss")
