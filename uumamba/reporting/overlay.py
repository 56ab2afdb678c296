"""A case on one sheet: what the network saw, what it said, and where that differs from the reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.reporting.style import new_figure, structure_colour

_WINDOW_PERCENTILES = (0.5, 99.5)
_FILL = 0.45
_MARGIN_MM = 25.0
_SLICES = 12
_COLUMNS = 6
_CELL_INCHES = 2.3
_DIFFERENCES = {"too much": "#F0E442", "missed": "#CC79A7", "other structure": "#0072B2"}
_DIMMED = 1.7


@dataclass(frozen=True)
class _Sheet:
    """The case as it is drawn: arrays (x, y, z) cut to the region of interest, spacing in mm, grey window."""

    image: np.ndarray
    prediction: np.ndarray
    reference: np.ndarray | None
    spacing_mm: tuple[float, float, float]
    labels: LabelSet
    window: tuple[float, float]


def overlay_figure(
    image: np.ndarray,
    prediction: np.ndarray,
    *,
    spacing_mm: Sequence[float],
    labels: LabelSet,
    reference: np.ndarray | None = None,
    title: str = "",
    slices: Sequence[int] | None = None,
) -> Figure:
    """A contact sheet of slices along z, cut to the labelled region and 25 mm around it.

    `image`, `prediction` and `reference` are (x, y, z) on one canonical grid (RAS); they are shown as a radiologist
    looks: the patient's right on the left, anterior up. The prediction is filled, the reference is a line around the
    same structure in the same colour. With a reference, a second picture under each slice shows only the differences:
    predicted but not in the reference, missed, or taken for another structure. Of regions the later lie on top. Grey
    runs from the 0.5th to the 99.5th percentile of the region. `slices` are the indices along z to draw, by default
    twelve spread over all that have a label.
    Raises `InputError` if the shapes differ or are not 3D.
    """
    _require_one_shape(image, prediction, reference)
    if labels.regions is not None:
        prediction, reference = labels.paint(prediction), None if reference is None else labels.paint(reference)
        labels = labels.painted
    sheet = _cut(image, prediction, reference, tuple(float(value) for value in spacing_mm), labels)
    if slices is None:
        slices = spread_slices(_labelled(prediction, reference), _SLICES)
    down = -(-len(slices) // _COLUMNS)
    across = -(-len(slices) // down)
    parts = 1 if reference is None else 2
    height = _CELL_INCHES * _aspect(sheet)
    figure = new_figure(max(_CELL_INCHES * across, 6.5), down * (parts * height + 0.25) + 1.1, pad_inches=0.03, gap=0.0)
    grid = figure.subplots(parts * down, across, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for place, index in enumerate(slices):
        row, column = divmod(place, across)
        _draw_labels(grid[parts * row, column], sheet, index)
        if parts == 2:
            _draw_differences(grid[parts * row + 1, column], sheet, index)
    figure.suptitle(title, fontsize=11)
    figure.legend(
        handles=_legend(labels, with_reference=reference is not None),
        loc="outside lower center",
        ncols=4,
        fontsize=8,
        frameon=False,
    )
    return figure


def spread_slices(labelled: np.ndarray, count: int) -> list[int]:
    """At most `count` indices along z, evenly spaced among the slices where `labelled` (x, y, z) holds anywhere.

    Where it holds nowhere, they are spaced over all slices.
    """
    candidates = np.flatnonzero(labelled.any(axis=(0, 1)))
    if not candidates.size:
        candidates = np.arange(labelled.shape[2])
    places = np.linspace(0, len(candidates) - 1, min(count, len(candidates)))
    return [int(candidates[round(place)]) for place in places]


def _require_one_shape(image: np.ndarray, prediction: np.ndarray, reference: np.ndarray | None) -> None:
    if image.ndim != 3 or image.shape != prediction.shape or (reference is not None and reference.shape != image.shape):
        shapes = f"image {image.shape}, prediction {prediction.shape}"
        shapes += "" if reference is None else f", reference {reference.shape}"
        raise InputError(
            f"an overlay needs 3D arrays (x, y, z) of one shape, got {shapes}; bring them onto one grid first"
        )


def _labelled(prediction: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    return prediction > 0 if reference is None else (prediction > 0) | (reference > 0)


def _cut(
    image: np.ndarray,
    prediction: np.ndarray,
    reference: np.ndarray | None,
    spacing_mm: tuple[float, ...],
    labels: LabelSet,
) -> _Sheet:
    labelled = np.argwhere(_labelled(prediction, reference))
    region = [slice(None), slice(None)]
    if labelled.size:
        for axis in (0, 1):
            places = labelled[:, axis]
            margin = round(_MARGIN_MM / spacing_mm[axis])
            region[axis] = slice(max(0, int(places.min()) - margin), int(places.max()) + margin + 1)
    cut = tuple(region)
    low, high = np.percentile(image[cut], _WINDOW_PERCENTILES)
    return _Sheet(
        image=image[cut],
        prediction=prediction[cut],
        reference=None if reference is None else reference[cut],
        spacing_mm=(spacing_mm[0], spacing_mm[1], spacing_mm[2]),
        labels=labels,
        window=(float(low), float(high) if high > low else float(low) + 1.0),
    )


def _aspect(sheet: _Sheet) -> float:
    """Height over width of a slice in mm."""
    size_x, size_y = sheet.image.shape[:2]
    return float(size_y * sheet.spacing_mm[1] / (size_x * sheet.spacing_mm[0]))


def _view(volume: np.ndarray, index: int) -> np.ndarray:
    """A slice as rows from anterior to posterior, columns from the patient's right to the left."""
    return volume[::-1, ::-1, index].T


def _show(axes: Axes, sheet: _Sheet, index: int, *, dimmed: float = 1.0) -> None:
    low, high = sheet.window
    axes.imshow(
        _view(sheet.image, index),
        cmap="gray",
        vmin=low,
        vmax=low + dimmed * (high - low),
        aspect=sheet.spacing_mm[1] / sheet.spacing_mm[0],
        interpolation="nearest",
    )


def _paint(axes: Axes, sheet: _Sheet, masks: Sequence[tuple[np.ndarray, str]], opacity: float) -> None:
    """Lay coloured masks over the slice; masks must not overlap."""
    layer = np.zeros((*masks[0][0].shape, 4))
    for mask, colour in masks:
        layer[mask] = (*to_rgb(colour), opacity)
    axes.imshow(layer, aspect=sheet.spacing_mm[1] / sheet.spacing_mm[0], interpolation="nearest")


def outline(axes: Axes, mask: np.ndarray, colour: str, width: float) -> None:
    """A line along the voxels' edges around `mask`."""
    if not mask.any():
        return
    padded = np.pad(mask, 1).astype(np.int8)
    across = np.argwhere(np.diff(padded, axis=1)[1:-1]) - 0.5
    down = np.argwhere(np.diff(padded, axis=0)[:, 1:-1]) - 0.5
    edges = [((column, row), (column, row + 1)) for row, column in across]
    edges += [((column, row), (column + 1, row)) for row, column in down]
    axes.add_collection(LineCollection(edges, colors=colour, linewidths=width, capstyle="projecting"))


def _draw_labels(axes: Axes, sheet: _Sheet, index: int) -> None:
    prediction = _view(sheet.prediction, index)
    _show(axes, sheet, index)
    structures = sheet.labels.structures.values()
    _paint(axes, sheet, [(prediction == number, structure_colour(number)) for number in structures], _FILL)
    if sheet.reference is not None:
        reference = _view(sheet.reference, index)
        for number in structures:
            outline(axes, reference == number, structure_colour(number), 1.4)
    axes.set_title(f"slice {index + 1}", fontsize=8, pad=2)


def _draw_differences(axes: Axes, sheet: _Sheet, index: int) -> None:
    if sheet.reference is None:
        return
    prediction, reference = _view(sheet.prediction, index), _view(sheet.reference, index)
    _show(axes, sheet, index, dimmed=_DIMMED)
    kinds = _differences(prediction, reference)
    _paint(axes, sheet, [(kinds[name], colour) for name, colour in _DIFFERENCES.items()], 0.9)


def _differences(prediction: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    """Masks by kind: predicted where the reference has background, the reverse, and one structure for another."""
    differ = prediction != reference
    return {
        "too much": differ & (reference == 0),
        "missed": differ & (prediction == 0),
        "other structure": differ & (prediction > 0) & (reference > 0),
    }


def _legend(labels: LabelSet, *, with_reference: bool) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(color=structure_colour(number), alpha=_FILL + 0.2, label=f"{name} predicted")
        for name, number in labels.structures.items()
    ]
    if with_reference:
        handles.append(Line2D([], [], color="black", linewidth=1.4, label="line of that colour: reference"))
        handles += [Patch(color=colour, label=f"difference: {name}") for name, colour in _DIFFERENCES.items()]
    return handles
