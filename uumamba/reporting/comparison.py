"""Two results on the same cases: how much they differ, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uumamba.core.errors import InputError
from uumamba.reporting.spread import spread_by_rank
from uumamba.reporting.style import new_figure, structure_colour, tidy

_ROW_INCHES = 0.52
_MEAN_COLOUR = "0.35"


@dataclass(frozen=True)
class ComparedRow:
    """One line of the picture: a structure's scores in A and B, case by case, the mean difference B - A, its interval.

    `low` and `high` are None where there is no interval, `mean` is None without a case.
    """

    name: str
    a: Sequence[float]
    b: Sequence[float]
    mean: float | None
    low: float | None
    high: float | None


def comparison_figure(
    structures: Sequence[ComparedRow], overall: ComparedRow, *, names: tuple[str, str] = ("", ""), title: str = ""
) -> Figure:
    """Left, every case's difference with the mean and its interval; right, B over A.

    Structures come in the order of their numbers, which gives their colours. Raises `InputError` if there is none, or
    if A and B of a row differ in length.
    """
    if not structures:
        raise InputError("a comparison needs at least one structure, got none")
    for row in (*structures, overall):
        if len(row.a) != len(row.b):
            raise InputError(f"{row.name}: {len(row.a)} scores of A and {len(row.b)} of B; give one of each per case")
    colours = {row.name: structure_colour(number) for number, row in enumerate(structures, 1)}
    rows = [*structures, overall]
    figure = new_figure(11.0, max(4.6, _ROW_INCHES * len(rows) + 1.4), pad_inches=0.08, gap=0.04)
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    _draw_differences(left, rows, [*colours.values(), _MEAN_COLOUR])
    _draw_scatter(right, structures, colours, names)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_differences(axes: Axes, rows: Sequence[ComparedRow], colours: Sequence[str]) -> None:
    labels = []
    for place, (row, colour) in enumerate(zip(rows, colours, strict=True)):
        differences = np.asarray(row.b, dtype=float) - np.asarray(row.a, dtype=float)
        heights = place + 0.04 + 0.3 * spread_by_rank(differences)
        axes.scatter(differences, heights, color=colour, s=14, alpha=0.75, linewidths=0)
        labels.append(f"{row.name}\nno case in both")
        if row.mean is not None:
            labels[-1] = f"{row.name}\n{row.mean:+.4f}"
            axes.plot([row.mean], [place - 0.12], marker="|", markersize=11, markeredgewidth=2, color="black", zorder=4)
        if row.low is not None and row.high is not None:
            labels[-1] += f" ({row.low:+.4f} to {row.high:+.4f})"
            axes.plot([row.low, row.high], [place - 0.12] * 2, color="black", linewidth=2, zorder=4)
    axes.axvline(0, color="0.4", linewidth=1.2, zorder=1)
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    reach = max(abs(limit) for limit in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.set_title("Every case's difference; the mean with its 95 % interval", fontsize=10)
    axes.set_xlabel("A higher  <   Dice, B - A   >  B higher", fontsize=9)
    tidy(axes)


def _draw_scatter(axes: Axes, rows: Sequence[ComparedRow], colours: Mapping[str, str], names: tuple[str, str]) -> None:
    for row in rows:
        axes.scatter(row.a, row.b, color=colours[row.name], s=18, alpha=0.8, linewidths=0, label=row.name)
    values = np.concatenate([np.asarray([*row.a, *row.b], dtype=float) for row in rows])
    lowest = float(values.min()) if values.size else 0.0
    limits = (np.floor(lowest * 10) / 10 - 0.02, 1.02)
    axes.plot(limits, limits, color="0.4", linewidth=1, linestyle="--", zorder=1)
    axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal")
    axes.set_title("Dice of every case", fontsize=10)
    axes.set_xlabel(_axis("A", names[0]), fontsize=9)
    axes.set_ylabel(_axis("B", names[1]), fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="upper left", ncols=1 + len(rows) // 9)
    tidy(axes)


def _axis(side: str, name: str) -> str:
    return f"{side}: {name}" if name else side
