"""How a training went, from its rows of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.style import COLOURS, new_figure, tidy

Row = Mapping[str, float | int | None]


@dataclass(frozen=True)
class _Panel:
    """One plot of all columns whose names begin with `prefix`; what follows the prefix names the curve."""

    title: str
    prefix: str
    limits: tuple[float, float] | None = None
    logarithmic: bool = False
    show_mean: bool = False


PANELS = (
    _Panel("Loss", "loss_"),
    _Panel("Pseudo Dice on validation patches", "dice_", limits=(0.0, 1.0), show_mean=True),
    _Panel("Loss terms (training)", "term_"),
    _Panel("Weights of the loss terms", "weight_"),
    _Panel("Learning rate", "learning_rate"),
    _Panel("Gradient norm before clipping", "gradient_norm", logarithmic=True),
)
"""The plots in their order; one without a column in the rows is not drawn."""


def training_figure(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Curves over epochs: losses, loss terms, Dice per structure and its mean, loss weights, learning rate, gradients.

    Each row is an epoch with the key `epoch` and any of `loss_<training or validation>`, `term_<name>`,
    `dice_<structure>`, `weight_<name>`, `learning_rate`, `gradient_norm`; None or a missing key leaves a gap.
    Raises `InputError` if there is no row, no `epoch` or nothing to draw.
    """
    if not rows or "epoch" not in rows[0]:
        raise InputError("training curves need at least one row with an epoch, got none; let an epoch end first")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    panels = [(panel, [name for name in columns if name.startswith(panel.prefix)]) for panel in PANELS]
    panels = [(panel, names) for panel, names in panels if names]
    if not panels:
        raise InputError(f"training curves find no column that they know among {', '.join(columns)}")
    across = min(2, len(panels))
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
    marker = "o" if len(epochs) < 3 else ""
    for index, (name, values) in enumerate(curves.items()):
        axes.plot(epochs, values, marker=marker, color=COLOURS[index % len(COLOURS)], linewidth=1.4, label=name)
    if panel.show_mean and len(curves) > 1:
        mean = np.mean(list(curves.values()), axis=0)
        axes.plot(epochs, mean, color="black", linewidth=1.4, linestyle="--", label="mean")
    if any(curves):
        axes.legend(fontsize=8, frameon=False)
    if panel.logarithmic and any(np.any(values > 0) for values in curves.values()):
        axes.set_yscale("log")
    if panel.limits:
        axes.set_ylim(*panel.limits)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel("epoch")
    tidy(axes)
