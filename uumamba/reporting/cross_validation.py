"""The folds of one training side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.spread import spread_by_rank
from uumamba.reporting.style import new_figure, structure_colour, tidy

_ACROSS = 4
_MEAN_COLOUR = "0.35"


@dataclass(frozen=True)
class FoldScores:
    """One plot: the Dice of every case by fold, the mean over all cases and its interval, None where there is none."""

    name: str
    folds: Mapping[str, Sequence[float]]
    mean: float | None
    low: float | None
    high: float | None


def cross_validation_figure(structures: Sequence[FoldScores], overall: FoldScores, *, title: str = "") -> Figure:
    """A plot per structure and one over all: cases as points, each fold's mean as a bar, the interval as a band.

    Structures come in the order of their numbers, which gives their colours. Raises `InputError` if there is none.
    """
    if not structures:
        raise InputError("a cross-validation needs at least one structure, got none")
    plots = [*structures, overall]
    across = min(_ACROSS, len(plots))
    down = -(-len(plots) // across)
    figure = new_figure(2.9 * across + 0.4, 3.1 * down + 0.5, pad_inches=0.06)
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    values = [value for plot in plots for of_fold in plot.folds.values() for value in of_fold]
    lowest = min(values, default=0.0)
    for number, (axes, plot) in enumerate(zip(grid, plots, strict=False), 1):
        colour = structure_colour(number) if number <= len(structures) else _MEAN_COLOUR
        _draw(axes, plot, colour)
        axes.set_ylim(np.floor(lowest * 10) / 10 - 0.02, 1.02)
        if (number - 1) % across == 0:
            axes.set_ylabel("Dice", fontsize=9)
    for axes in grid[len(plots) :]:
        axes.remove()
    figure.suptitle(title, fontsize=11)
    return figure


def _draw(axes: Axes, plot: FoldScores, colour: str) -> None:
    for place, values in enumerate(plot.folds.values()):
        places = place + 0.5 * (spread_by_rank(values) - 0.5)
        axes.scatter(places, values, color=colour, s=13, alpha=0.75, linewidths=0)
        if len(values):
            axes.plot([place - 0.36, place + 0.36], [np.mean(values)] * 2, color="black", linewidth=2, zorder=4)
    heading = f"{plot.name}\nno case"
    if plot.mean is not None:
        axes.axhline(plot.mean, color="0.4", linewidth=1, linestyle="--", zorder=2)
        heading = f"{plot.name}\n{plot.mean:.4f}"
    if plot.low is not None and plot.high is not None:
        axes.axhspan(plot.low, plot.high, color="0.5", alpha=0.25, linewidth=0, zorder=1)
        heading += f" ({plot.low:.4f} to {plot.high:.4f})"
    axes.set_title(heading, fontsize=9)
    axes.set_xticks(range(len(plot.folds)), list(plot.folds))
    axes.set_xlim(-0.6, len(plot.folds) - 0.4)
    axes.set_xlabel("fold", fontsize=9)
    axes.tick_params(labelleft=True, labelsize=8)
    tidy(axes)
    axes.grid(visible=False, axis="x")
