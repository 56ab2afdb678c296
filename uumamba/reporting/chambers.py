"""The chambers of a heart on one sheet: the middle slice, and each structure's area from slice to slice."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from uumamba.reporting.style import new_figure, structure_colour, tidy

_MARGIN_MM = 10.0


def chambers_figure(
    label_map: np.ndarray, spacing_mm: Sequence[float], names: Mapping[str, Sequence[int]], *, title: str
) -> Figure:
    """The sheet of a label map (x, y, z) on a canonical grid, its slices along z; `names` have their numbers."""
    drawn: np.ndarray = np.zeros(label_map.shape, dtype=np.uint8)
    for index, numbers in enumerate(names.values(), 1):
        drawn[np.isin(label_map, list(numbers))] = index
    filled = np.flatnonzero(drawn.any(axis=(0, 1)))
    slices = drawn.shape[-1]
    middle = int(filled[len(filled) // 2]) if len(filled) else slices // 2
    figure = new_figure(9.5, 4.6)
    figure.suptitle(title, fontsize=11)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    colours = ListedColormap(["white", *(structure_colour(index) for index in range(1, len(names) + 1))])
    width, height = drawn.shape[0] * spacing_mm[0], drawn.shape[1] * spacing_mm[1]
    left.imshow(
        drawn[:, :, middle].T, cmap=colours, vmin=0, vmax=len(names), origin="lower", extent=(0, width, 0, height),
        interpolation="nearest",
    )  # fmt: skip
    for cut, axis in ((left.set_xlim, 0), (left.set_ylim, 1)):
        cut(*_limits(drawn, axis, spacing_mm[axis]))
    left.set_title(f"slice {middle + 1} of {slices}, mm", fontsize=9)
    left.tick_params(labelsize=7)
    place = np.arange(slices) * spacing_mm[2]
    for index, name in enumerate(names, 1):
        area = np.count_nonzero(drawn == index, axis=(0, 1)) * spacing_mm[0] * spacing_mm[1] / 100
        right.plot(place, area, marker="o", markersize=3, color=structure_colour(index), label=name)
    right.set_ylim(bottom=0)
    right.set_xlabel("from the first slice, mm", fontsize=9)
    right.set_ylabel("area, cm²", fontsize=9)
    right.legend(frameon=False, fontsize=9)
    tidy(right)
    return figure


def _limits(drawn: np.ndarray, axis: int, side_mm: float) -> tuple[float, float]:
    """What is labelled and a little more, along x from the patient's right."""
    filled = np.flatnonzero(drawn.any(axis=(1 - axis, 2)))
    low, high = (filled[0], filled[-1] + 1) if len(filled) else (0, drawn.shape[axis])
    limits = (float(low * side_mm) - _MARGIN_MM, float(high * side_mm) + _MARGIN_MM)
    return limits[::-1] if axis == 0 else limits
