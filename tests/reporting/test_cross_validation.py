"""The picture of the folds shows their numbers."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.cross_validation import FoldScores, cross_validation_figure

Pixels = Callable[[Figure], np.ndarray]
LV = FoldScores("LV", {"0": [0.5, 0.75], "3": [1.0], "4": []}, 0.75, 0.6, 0.9)
NONE = FoldScores("RV", {"0": [], "3": [], "4": []}, None, None, None)
MEAN = FoldScores("mean over structures", {"0": [0.5, 0.75], "3": [1.0], "4": []}, 0.75, None, None)


def test_a_plot_per_structure_and_one_over_all(pixels: Pixels) -> None:
    figure = cross_validation_figure([LV, NONE], MEAN, title="plain")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["LV\n0.7500 (0.6000 to 0.9000)", "RV\nno case", "mean over structures\n0.7500"]
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_xticklabels()] == ["0", "3", "4"]
    clouds = [np.asarray(item.get_offsets()) for item in left.collections if isinstance(item, PathCollection)]
    assert [cloud[:, 1].tolist() for cloud in clouds] == [[0.5, 0.75], [1.0], []]
    bars = [line.get_ydata()[0] for line in left.lines if line.get_linestyle() == "-"]
    assert bars == [0.625, 1.0]
    assert left.get_ylim() == (0.48, 1.02)
    picture = pixels(figure)
    assert picture.shape[:2] == (360, 910)
    assert picture.std() > 0.02


def test_many_structures_fill_rows(pixels: Pixels) -> None:
    figure = cross_validation_figure([LV] * 6, MEAN)
    assert len(figure.axes) == 7
    assert pixels(figure).shape[:2] == (670, 1200)


def test_errors() -> None:
    with pytest.raises(InputError, match="a cross-validation needs at least one structure, got none"):
        cross_validation_figure([], MEAN)
