"""What a decoder's FreqFusion does in one slice: a row of pictures for each fused stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.inference.fusion_maps import UNITS, BorderRow, StageMaps, compared_places
from uumamba.reporting.overlay import outline
from uumamba.reporting.style import new_figure, structure_colour

_TITLES = {
    "kernel_width": "Width of the low-pass kernels",
    "low_pass_change": "What the low-pass changes",
    "high_pass_gain": "What the high-pass adds",
    "offset": "Length of the offsets",
}
_COLOURS = {"kernel_width": "viridis", "low_pass_change": "magma", "high_pass_gain": "magma", "offset": "cividis"}
_BORDER_COLOUR = "#F0E442"
_PERCENTILES = (1, 99)
_WINDOW_PERCENTILES = (0.5, 99.5)
_MARGIN_MM = 25.0
_CELL_INCHES = 2.6
_ARROWS = 18
_NOTE = (
    "Narrow kernels take the place alone, wide ones smooth. Changes are root mean squares over the channels, in per "
    "cent of the whole map's.\nArrows: where the coarse map is read, the offsets' mean over the groups, in proportion "
    "to the stage's longest. Colours from the 1st to the 99th percentile of what is shown.\nBelow each picture: the "
    "mean at borders against the mean elsewhere, in the whole patch without places whose kernel is cut by its edge. "
    "Edges of what has no label count as elsewhere."
)


@dataclass(frozen=True)
class FusedPatch:
    """What is drawn: `image` and `labels` (*patch), and of a volume the slice `depth` along its first axis.

    `spacing_mm` is that of the slice's two axes.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.integer]
    depth: int
    spacing_mm: tuple[float, float]
    names: LabelSet

    @property
    def outlined(self) -> NDArray[Any]:
        """The labels of the slice as it is drawn."""
        return self.plane(self.labels)

    def plane(self, values: NDArray[Any], stride: Sequence[int] = (1,)) -> NDArray[Any]:
        """The slice of an array (*size) of that stride: rows from anterior to posterior, columns from the patient's
        right to the left."""
        return (values[self.depth // stride[0]] if values.ndim == 3 else values)[::-1, ::-1]


def fusion_figure(
    stages: Sequence[StageMaps], rows: Sequence[BorderRow], subject: FusedPatch, *, title: str = ""
) -> Figure:
    """For each fused stage the image with the places that count as border, then every quantity that there is.

    Shown is the labelled region and 25 mm around it, as a radiologist looks if the axes are canonical. `rows` are the
    stages' means, written below the pictures. Of a volume each stage's slice at the chosen depth is drawn.
    """
    region = _region(subject)
    quantities = [name for name in UNITS if any(name in stage.maps for stage in stages)]
    width = 1.35 * _CELL_INCHES * len(quantities) + _CELL_INCHES
    figure = new_figure(width, len(stages) * (_CELL_INCHES * _aspect(region, subject) + 0.35) + 1.5)
    grid = figure.subplots(len(stages), 1 + len(quantities), squeeze=False)
    words = {(row.stage, row.quantity): row.words for row in rows}
    for stage, (first, *others) in zip(stages, grid, strict=True):
        _draw_border(first, stage, subject)
        for quantity, axes in zip(quantities, others, strict=True):
            if quantity not in stage.maps:
                axes.set_axis_off()
                continue
            _draw_quantity(axes, stage, quantity, subject, region)
            axes.set_xlabel(words[stage.name, quantity], fontsize=9)
        for axes in (axes for axes in (first, *others) if axes.images):
            _frame(axes, subject, region)
    for axes, head in zip(grid[0], ["Image and border", *(_TITLES[name] for name in quantities)], strict=True):
        axes.set_title(head, fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.legend(
        handles=_legend(subject.names),
        title=_NOTE,
        title_fontsize=8,
        loc="outside lower center",
        ncols=8,
        fontsize=8,
        frameon=False,
    )
    return figure


def _region(subject: FusedPatch) -> tuple[slice, slice]:
    """Rows and columns of the picture that hold the structures and the margin."""
    labels = subject.outlined
    places = np.argwhere(labels > 0)
    parts = []
    for axis, size in enumerate(labels.shape):
        margin = round(_MARGIN_MM / subject.spacing_mm[axis])
        first, last = (int(places[:, axis].min()), int(places[:, axis].max())) if len(places) else (0, size - 1)
        parts.append(slice(max(first - margin, 0), min(last + margin + 1, size)))
    return parts[0], parts[1]


def _aspect(region: tuple[slice, slice], subject: FusedPatch) -> float:
    """Height over width of the region in mm."""
    height, width = ((part.stop - part.start) * mm for part, mm in zip(region, subject.spacing_mm, strict=True))
    return float(height / width)


def _extent(subject: FusedPatch) -> tuple[float, float, float, float]:
    """Every map is drawn in the patch's voxels, so that lines of the structures fit on all of them."""
    rows, columns = subject.outlined.shape
    return (-0.5, columns - 0.5, rows - 0.5, -0.5)


def _draw_border(axes: Axes, stage: StageMaps, subject: FusedPatch) -> None:
    """The image, and the places of the stage that count as border."""
    image = subject.plane(subject.image)
    low, high = np.percentile(image, _WINDOW_PERCENTILES)
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=_extent(subject), aspect="auto")
    border, _ = compared_places(stage, subject.labels)
    tinted = subject.plane(border, stage.stride)
    layer = np.zeros((*tinted.shape, 4))
    layer[tinted] = (*to_rgb(_BORDER_COLOUR), 0.35)
    axes.imshow(layer, extent=_extent(subject), interpolation="nearest", aspect="auto")
    axes.set_ylabel(stage.name, fontsize=9)


def _draw_quantity(
    axes: Axes, stage: StageMaps, quantity: str, subject: FusedPatch, region: tuple[slice, slice]
) -> None:
    """One map with its colour bar; offsets with their arrows."""
    values = subject.plane(stage.maps[quantity], stage.stride)
    steps = stage.stride[-2:]
    shown = values[
        tuple(slice(part.start // step, -(-part.stop // step)) for part, step in zip(region, steps, strict=True))
    ]
    low, high = np.percentile(shown, _PERCENTILES)
    picture = axes.imshow(
        values,
        cmap=_COLOURS[quantity],
        vmin=low,
        vmax=high,
        extent=_extent(subject),
        interpolation="nearest",
        aspect="auto",
    )
    bar = axes.figure.colorbar(picture, ax=axes, fraction=0.05, pad=0.02, ticks=MaxNLocator(5))
    bar.set_label(UNITS[quantity], fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if quantity == "offset" and stage.arrows is not None:
        # Turning the picture turns the arrows too.
        down, across = (-subject.plane(stage.arrows[axis], stage.stride) for axis in (-2, -1))
        _draw_arrows(axes, stage, down, across, region)


def _draw_arrows(
    axes: Axes, stage: StageMaps, down: NDArray[Any], across: NDArray[Any], region: tuple[slice, slice]
) -> None:
    """Where the coarse map is read, every few voxels of what is shown."""
    steps, coarse = stage.stride[-2:], [a * b for a, b in zip(stage.stride[-2:], stage.scale[-2:], strict=True)]
    rows, columns = (
        np.arange(part.start // step, part.stop // step, -(-(part.stop - part.start) // (step * _ARROWS)))
        for part, step in zip(region, steps, strict=True)
    )
    places = np.ix_(rows, columns)
    u, v = across[places] * coarse[1], down[places] * coarse[0]
    longest = float(np.hypot(u, v).max(initial=0.0))
    if longest == 0:
        return
    room = max(np.diff(line).max(initial=1) * step for line, step in zip((rows, columns), steps, strict=True))
    axes.quiver(
        (columns + 0.5) * steps[1] - 0.5,
        (rows + 0.5) * steps[0] - 0.5,
        u,
        v,
        angles="xy",
        scale_units="xy",
        scale=longest / (1.5 * room),
        facecolor="white",
        edgecolor="black",
        linewidth=0.4,
        width=0.007,
    )


def _frame(axes: Axes, subject: FusedPatch, region: tuple[slice, slice]) -> None:
    """Structures' outlines, only what is shown, no ticks."""
    labels = subject.outlined
    for number in subject.names.structures.values():
        outline(axes, labels == number, structure_colour(number), 0.8)
    rows, columns = region
    axes.set_xlim(columns.start - 0.5, columns.stop - 0.5)
    axes.set_ylim(rows.stop - 0.5, rows.start - 0.5)
    axes.set_aspect(subject.spacing_mm[0] / subject.spacing_mm[1])
    axes.set_xticks([])
    axes.set_yticks([])


def _legend(names: LabelSet) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=structure_colour(number), label=name) for name, number in names.structures.items()
    ]
    handles.append(Patch(color=_BORDER_COLOUR, alpha=0.6, label="counts as border"))
    return handles
