"""Scores of many cases at a glance: boxes per structure."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.spread import spread_by_rank
from uumamba.reporting.style import new_figure, structure_colour, tidy

Values = Sequence[float | None]


def dice_figure(dice: Mapping[str, Values], *, title: str = "", label: str = "Dice") -> Figure:
    """A box plot of one score in [0, 1] per structure, every case as a point; median, quartiles and number are written.

    `dice` maps a structure's name, in the order of its number, to one value per case; None or NaN (no value defined)
    is left out. Raises `InputError` if there is no structure or a value outside [0, 1].
    """
    if not dice:
        raise InputError("a box plot needs at least one structure, got none")
    columns = {name: _finite(values) for name, values in dice.items()}
    for name, values in columns.items():
        if values.size and (values.min() < 0 or values.max() > 1):
            raise InputError(f"{label} of {name} must be in [0, 1], got {values.min():g} to {values.max():g}")
    figure = new_figure(max(4.0, 1.5 * len(columns) + 1.0), 4.0)
    axes = figure.subplots()
    for place, values in enumerate(columns.values(), 1):
        _draw_box(axes, place, values)
    summaries = [_summary(name, values) for name, values in columns.items()]
    axes.set_xticks(range(1, len(columns) + 1), summaries, fontsize=8)
    axes.set_xlim(0.4, len(columns) + 0.6)
    lowest = min((float(values.min()) for values in columns.values() if values.size), default=0.0)
    axes.set_ylim(max(-0.02, np.floor(lowest * 10) / 10 - 0.02), 1.02)
    axes.set_ylabel(label)
    axes.set_title(title, fontsize=11)
    tidy(axes)
    return figure


def _finite(values: Values) -> np.ndarray:
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    finite: np.ndarray = numbers[np.isfinite(numbers)]
    return finite


def _draw_box(axes: Axes, place: int, values: np.ndarray) -> None:
    colour = structure_colour(place)
    if not values.size:
        return
    axes.boxplot(
        values,
        positions=[place],
        widths=0.5,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.35},
        medianprops={"color": "black"},
    )
    axes.scatter(place + 0.3 * (spread_by_rank(values) - 0.5), values, color=colour, s=12, linewidths=0, zorder=3)


def _summary(name: str, values: np.ndarray) -> str:
    if not values.size:
        return f"{name}\nno value"
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{name}\nmedian {median:.3f}\n({low:.3f} to {high:.3f})\nn = {values.size}"
