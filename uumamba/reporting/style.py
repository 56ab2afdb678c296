"""What all figures share: colours, the note at the foot, the file."""

from pathlib import Path
from typing import BinaryIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from uumamba.core.files import atomic

COLOURS = ("#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#F0E442")
"""Okabe and Ito's colours, which people with any common colour blindness tell apart; structure n has colour n - 1."""

NOTE = "Research use only. Not for diagnosis or treatment."
DOTS_PER_INCH = 100
_FOOT_INCHES = 0.22


def structure_colour(number: int) -> str:
    """The colour of a structure by its number (1 = first structure); beyond seven structures they repeat."""
    return COLOURS[(number - 1) % len(COLOURS)]


def new_figure(width_inches: float, height_inches: float, *, pad_inches: float = 0.04, gap: float = 0.02) -> Figure:
    """A figure with nothing but the research-use note, drawn by Agg: no screen, none of pyplot's global state.

    `pad_inches` is the space around each plot, `gap` the space between them as a fraction of a plot.
    """
    figure = Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    foot = _FOOT_INCHES / height_inches
    layout = ConstrainedLayoutEngine(
        w_pad=pad_inches, h_pad=pad_inches, wspace=gap, hspace=gap, rect=(0, foot, 1, 1 - foot)
    )
    figure.set_layout_engine(layout)
    figure.text(0.995, 0.2 * foot, NOTE, ha="right", va="bottom", fontsize=7, color="0.4")
    return figure


def tidy(axes: Axes) -> None:
    """A quiet frame: no top and right line, a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, atomically."""
    with atomic(path) as temporary:
        write_figure(figure, temporary)


def write_figure(figure: Figure, target: Path | BinaryIO) -> None:
    """Write the figure as PNG; its title is also the PNG's `Title`, so that a page can say what the picture shows."""
    title = figure.get_suptitle()
    figure.savefig(target, format="png", metadata={"Title": title} if title else None)
