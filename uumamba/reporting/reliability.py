"""Reliability diagrams: how often voxels are right against how sure the network is of them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.metrics.calibration import Reliability
from uumamba.reporting.style import COLOURS, new_figure, tidy

_ACCURACY, _GAP = COLOURS[5], COLOURS[2]


def reliability_figure(
    before: Reliability, after: Reliability, *, temperature: float, title: str, region: str
) -> Figure:
    """Accuracy in each bin of confidence, before and after scaling, above how many voxels lie in it.

    The gap is what the expected calibration error is the mean of. `region` says which voxels count. Raises `InputError`
    if there are none.
    """
    if not (before.count and after.count):
        raise InputError("reliability diagram: there is no voxel, so there is nothing to draw; give labelled cases")
    figure = new_figure(8.6, 5.6)
    axes = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    names = ("before (temperature 1)", f"after (temperature {temperature:.3f})")
    for column, (name, found) in enumerate(zip(names, (before, after), strict=True)):
        _draw_diagram(axes[0, column], found, name)
        _draw_voxels(axes[1, column], found)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("share of voxels")
    axes[0, 0].legend(loc="upper left", fontsize=8, frameon=False)
    figure.suptitle(f"{title}: {before.count:,.0f} voxels {region}", fontsize=11)
    return figure


def _draw_diagram(axes: Axes, found: Reliability, name: str) -> None:
    edges = np.linspace(0, 1, len(found.voxels) + 1)
    filled = np.flatnonzero(found.voxels)
    voxels = found.voxels[filled]
    confidence, accuracy = found.confidences[filled] / voxels, found.correct[filled] / voxels
    left, width = edges[filled], 1 / len(found.voxels)
    axes.bar(left, accuracy, width, align="edge", color=_ACCURACY, edgecolor="white", label="accuracy")
    axes.bar(
        left, confidence - accuracy, width, bottom=accuracy, align="edge", label="gap to the confidence",
        facecolor=(*_rgb(_GAP), 0.25), edgecolor=_GAP, hatch="///", linewidth=0.8,
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="0.25", linewidth=1, linestyle="--", label="confidence = accuracy")
    axes.set_title(f"{name}\nECE {found.ece:.4f}, NLL {found.mean_nll:.4f}", fontsize=10)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    tidy(axes)


def _draw_voxels(axes: Axes, found: Reliability) -> None:
    """Most voxels are sure, so the axis is logarithmic."""
    bins = len(found.voxels)
    axes.bar(
        np.arange(bins) / bins, found.voxels / found.count, 1 / bins, align="edge", color="0.55", edgecolor="white"
    )
    lines = (("confidence", found.confidence, _GAP, "-"), ("accuracy", found.accuracy, _ACCURACY, ":"))
    for what, mean, colour, style in lines:
        axes.axvline(mean, color=colour, linestyle=style, linewidth=1.8, label=f"mean {what} {mean:.3f}")
    axes.set_yscale("log")
    axes.set_xlabel("confidence")
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    tidy(axes)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
