"""Expected against true Dice as a picture: every point, in its structure's colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tests.reporting.conftest import Pixels
from uumamba.core.errors import InputError
from uumamba.evaluation.confidence import ConfidenceRow
from uumamba.reporting.confidence import confidence_figure
from uumamba.reporting.style import structure_colour

POINTS = {"RV": [(0.8, 0.9), (0.5, 0.2)], "LV": [(0.95, 0.97)]}
ROWS = [ConfidenceRow(str(case), name, *pair) for name, pairs in POINTS.items() for case, pair in enumerate(pairs)]


def test_points_colours_and_lines(pixels: Pixels) -> None:
    rows = [*ROWS, ConfidenceRow("2", "LV", None, 0.0), ConfidenceRow("0", "WALL", None, 0.0)]
    figure = confidence_figure(rows, ["RV", "MYO", "LV", "WALL"], title="run")
    (axes,) = figure.axes
    expected = [(1, POINTS["RV"]), (3, POINTS["LV"]), (4, [])]
    for drawn, (number, points) in zip(axes.collections, expected, strict=True):
        np.testing.assert_allclose(np.asarray(drawn.get_offsets()), np.reshape(points, (-1, 2)))
        if points:
            assert to_hex(drawn.get_facecolor()[0]).upper() == structure_colour(number)
    diagonal, failure = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert set(failure.get_ydata()) == {0.7}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "RV: Spearman none, AUROC 1.000, n = 2",
        "LV: Spearman none, AUROC none, n = 1",
        "WALL: Spearman none, AUROC none, n = 0",
        "expected = true",
        "failure: Dice < 0.7",
    ]
    assert axes.get_xlim() == axes.get_ylim() == (pytest.approx(0.15), 1)
    assert pixels(figure).std() > 0.02


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="no structure has a mask in any case, so there is nothing to draw"):
        confidence_figure([ConfidenceRow("0", "RV", None, 0.5)], ["RV"])
