"""How a training went, from its rows of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from uumamba.core.errors import InputError
from uumamba.reporting.style import COLOURS, new_figure, tidy

Row = Mapping[str, float | int | None]


@dataclass(frozen=True)
class _Panel:
    """One plot of all columns whose names begin with `prefix`; what follows the prefix names the curve."""

    title: str
    prefix: str
    limits: tuple[float, float] | None = None
    from_zero: bool = False
    logarithmic: bool = False
    whole_numbers: bool = False
    show_mean: bool = False


PANELS = (
    _Panel("Loss", "loss_"),
    _Panel("Pseudo Dice on validation patches", "dice_", limits=(-0.02, 1.02), show_mean=True),
    _Panel("Loss terms (training)", "term_"),
    _Panel("Weights of the loss terms", "weight_"),
    _Panel("Learning rate", "learning_rate", from_zero=True),
    _Panel("Radius of the sharpness-aware step", "rho", from_zero=True),
    _Panel("Gradient norm before clipping", "gradient_norm", from_zero=True, logarithmic=True),
    _Panel("Skipped steps", "skipped_steps", from_zero=True, whole_numbers=True),
    _Panel("Seconds per step", "seconds_per_step", from_zero=True),
)
"""The plots in their order; one without a column in the rows is not drawn."""

_TELLABLE_CURVES = len(COLOURS)
_LEGEND_COLUMNS = 4
_LEGEND_ROW_POINTS = 12
_LOGARITHMIC_SPAN = 100.0


def training_figure(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Curves over epochs: losses and their terms, Dice per structure and its mean, loss weights, steps and their speed.

    Each row is an epoch with the key `epoch` and any of `loss_<training or validation>`, `term_<name>`,
    `dice_<structure>`, `weight_<name>`, `learning_rate`, `rho`, `gradient_norm`, `skipped_steps`, `seconds_per_step`;
    None or a missing key leaves a gap. The mean Dice is that of the structures which have one in that epoch.
    Raises `InputError` if there is no row, no `epoch` or nothing to draw.
    """
    if not rows or "epoch" not in rows[0]:
        raise InputError("training curves need at least one row with an epoch, got none; let an epoch end first")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    panels = [(panel, [name for name in columns if name.startswith(panel.prefix)]) for panel in PANELS]
    panels = [(panel, names) for panel, names in panels if names]
    if not panels:
        raise InputError(f"training curves find no column that they know among {', '.join(columns)}")
    across = min(len(panels), 2 if len(panels) <= 4 else 3)
    down = -(-len(panels) // across)
    figure = new_figure(5.0 * across, 2.9 * down + 0.3)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    epochs = _column(rows, "epoch")
    for axes, (panel, names) in zip(grid, panels, strict=False):
        _draw(axes, panel, epochs, {name.removeprefix(panel.prefix): _column(rows, name) for name in names})
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.suptitle(title, fontsize=11)
    return figure


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    values = (row.get(name) for row in rows)
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _draw(axes: Axes, panel: _Panel, epochs: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    # A line needs two points: what stands alone is marked.
    marker = "o" if len(epochs) < 3 else ""
    many = len(curves) > _TELLABLE_CURVES
    for index, (name, values) in enumerate(curves.items()):
        colour = "0.75" if many else COLOURS[index]
        axes.plot(epochs, values, marker=marker, color=colour, linewidth=0.8 if many else 1.4, label=name)
    if panel.show_mean and len(curves) > 1:
        axes.plot(epochs, _mean(curves), marker=marker, color="black", linewidth=1.4, linestyle="--", label="mean")
    if many:
        axes.lines[0].set_label(f"each of {len(curves)}")
    named = axes.lines[:: len(curves)] if many else axes.lines[:]
    rows = _put_legend_above(axes, named) if any(curves) else 0
    axes.set_title(panel.title, fontsize=10, pad=4 + _LEGEND_ROW_POINTS * rows)
    axes.set_xlabel("epoch")
    _scale(axes, panel, epochs, np.concatenate(list(curves.values())))
    tidy(axes)


def _mean(curves: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean of the curves epoch by epoch, over those that have a value there."""
    values = np.stack(list(curves.values()))
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _put_legend_above(axes: Axes, lines: Sequence[Line2D]) -> int:
    """Name the lines between title and plot, where the names hide nothing; gives the rows that they take."""
    axes.legend(
        handles=lines,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=_LEGEND_COLUMNS,
        fontsize=8,
        frameon=False,
        borderaxespad=0.1,
        borderpad=0.1,
        labelspacing=0.25,
        columnspacing=1.2,
        handlelength=1.8,
    )
    return -(-len(lines) // _LEGEND_COLUMNS)


def _scale(axes: Axes, panel: _Panel, epochs: np.ndarray, values: np.ndarray) -> None:
    """Whole epochs along x; along y the panel's range, or its logarithm where the values span a hundredfold."""
    margin = max(0.5, 0.02 * float(epochs[-1] - epochs[0]))
    axes.set_xlim(float(epochs[0]) - margin, float(epochs[-1]) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    known = values[np.isfinite(values)]
    if panel.limits:
        axes.set_ylim(*panel.limits)
    elif panel.logarithmic and known.size and known.max() > _LOGARITHMIC_SPAN * known.min() > 0:
        axes.set_yscale("log")
    elif panel.from_zero:
        top = max(known, default=0.0) or 1.0
        axes.set_ylim(-0.02 * top, 1.08 * top)
    if panel.whole_numbers:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
