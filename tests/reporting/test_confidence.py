"""Expected against true Dice as a picture: every point, in its structure's colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tests.reporting.conftest import Pixels
from uumamba.core.errors import InputError
from uumamba.reporting.confidence import confidence_figure
from uumamba.reporting.style import structure_colour

POINTS = {"RV": [(0.8, 0.9), (0.5, 0.2)], "MYO": [], "LV": [(0.95, 0.97)]}
NOTES = {"RV": "n = 2", "MYO": "n = 0", "LV": "n = 1"}


def test_points_colours_and_lines(pixels: Pixels) -> None:
    figure = confidence_figure(POINTS, NOTES, failure=0.7, title="run")
    (axes,) = figure.axes
    for number, (drawn, points) in enumerate(zip(axes.collections, POINTS.values(), strict=True), start=1):
        np.testing.assert_allclose(np.asarray(drawn.get_offsets()), np.reshape(points, (-1, 2)))
        if points:
            assert to_hex(drawn.get_facecolor()[0]).upper() == structure_colour(number)
    diagonal, failure = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert set(failure.get_ydata()) == {0.7}
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["RV: n = 2", "MYO: n = 0", "LV: n = 1", "expected = true", "failure: Dice < 0.7"]
    assert axes.get_xlim() == axes.get_ylim() == (pytest.approx(0.15), 1)
    assert pixels(figure).std() > 0.02


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="no structure has a mask in any case, so there is nothing to draw"):
        confidence_figure({"RV": []}, {"RV": ""}, failure=0.7, title="")
