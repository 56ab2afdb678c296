"""What all figures share: colours, the note at the foot, the file."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from uumamba.core.files import atomic

COLOURS = ("#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#F0E442")
"""Okabe and Ito's colours, which people with any common colour blindness tell apart; structure n has colour n - 1."""

NOTE = "Research use only. Not for diagnosis or treatment."
DOTS_PER_INCH = 100


def structure_colour(number: int) -> str:
    """The colour of a structure by its number (1 = first structure); beyond seven structures they repeat."""
    return COLOURS[(number - 1) % len(COLOURS)]


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure, drawn by Agg without a screen and without pyplot's global state."""
    figure = Figure(figsize=(width_inches, height_inches), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """A quiet frame: no top and right line, a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, atomically, with the research-use note at its foot."""
    figure.get_layout_engine().set(rect=(0, 0.22 / figure.get_figheight(), 1, 1 - 0.22 / figure.get_figheight()))
    figure.text(0.995, 0.05 / figure.get_figheight(), NOTE, ha="right", va="bottom", fontsize=7, color="0.4")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")
