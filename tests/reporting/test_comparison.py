"""The picture of two results shows their numbers."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.comparison import ComparedRow, comparison_figure

Pixels = Callable[[Figure], np.ndarray]
RV = ComparedRow("RV", [0.5, 0.75, 1.0], [0.75, 0.75, 0.5], -0.0833, -0.3, 0.2)
LV = ComparedRow("LV", [0.25], [0.5], 0.25, None, None)
NONE = ComparedRow("MYO", [], [], None, None, None)
MEAN = ComparedRow("mean over structures", [0.5], [0.625], 0.125, 0.1, 0.15)


def test_differences_means_and_intervals(pixels: Pixels) -> None:
    figure = comparison_figure([RV, NONE, LV], MEAN, names=("plain", "sam"), title="A: plain, B: sam")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "RV\n-0.0833 (-0.3000 to +0.2000)",
        "MYO\nno case in both",
        "LV\n+0.2500",
        "mean over structures\n+0.1250 (+0.1000 to +0.1500)",
    ]
    clouds = [np.asarray(item.get_offsets()) for item in left.collections if isinstance(item, PathCollection)]
    np.testing.assert_allclose(clouds[0][:, 0], [0.25, 0.0, -0.5])
    assert [len(cloud) for cloud in clouds] == [3, 0, 1, 1]
    assert left.get_xlim()[0] == -left.get_xlim()[1]
    points = [np.asarray(item.get_offsets()) for item in right.collections if isinstance(item, PathCollection)]
    np.testing.assert_allclose(points[0], np.column_stack([RV.a, RV.b]))
    assert (right.get_xlabel(), right.get_ylabel()) == ("A: plain", "B: sam")
    picture = pixels(figure)
    assert picture.shape[:2] == (460, 1100)
    assert picture.std() > 0.02


def test_many_structures_make_a_taller_picture(pixels: Pixels) -> None:
    rows = [ComparedRow(f"vessel {number}", [0.5, 0.6], [0.6, 0.5], 0.0, -0.1, 0.1) for number in range(12)]
    assert pixels(comparison_figure(rows, MEAN)).shape[0] > 700


def test_no_difference_anywhere_is_a_picture_too(pixels: Pixels) -> None:
    same = ComparedRow("LV", [0.5, 0.6], [0.5, 0.6], 0.0, 0.0, 0.0)
    assert pixels(comparison_figure([same], same)).std() > 0.02
    assert pixels(comparison_figure([NONE], NONE)).std() > 0.01


def test_errors() -> None:
    with pytest.raises(InputError, match="a comparison needs at least one structure, got none"):
        comparison_figure([], MEAN)
    with pytest.raises(InputError, match="LV: 2 scores of A and 1 of B; give one of each per case"):
        comparison_figure([ComparedRow("LV", [0.5, 0.6], [0.5], None, None, None)], MEAN)
