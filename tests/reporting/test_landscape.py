"""Slices through a loss surface as a picture."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.landscape import landscape_figure

Pixels = Callable[[Figure], np.ndarray]

PLACES = (-1.0, -0.5, 0.0, 0.5, 1.0)
LOSSES = (4.0, 1.5, 1.0, None, 5.0)


def test_a_line_alone(pixels: Pixels) -> None:
    figure = landscape_figure(PLACES, LOSSES, title="run", note="top eigenvalue 3")
    (axes,) = figure.axes
    curve = axes.lines[0]
    np.testing.assert_array_equal(curve.get_xdata(), PLACES)
    np.testing.assert_array_equal(curve.get_ydata(), [4, 1.5, 1, np.nan, 5])
    assert "top eigenvalue 3" in figure.get_suptitle()
    assert pixels(figure).std() > 0.02


@pytest.mark.parametrize("lowest", [1.0, 0.0, -2.0])
def test_a_plane_beside_it(lowest: float, pixels: Pixels) -> None:
    plane = [[lowest + 3 * (first**2 + second**2) for first in PLACES] for second in PLACES]
    figure = landscape_figure(PLACES, LOSSES, plane_places=PLACES, plane=[*plane[:-1], [None] * 5])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["Along one random direction", "Over a random plane"]
    assert pixels(figure).std() > 0.05


def test_a_flat_plane(pixels: Pixels) -> None:
    assert pixels(landscape_figure(PLACES, [1.0] * 5, plane_places=PLACES, plane=[[1.0] * 5] * 5)).std() > 0.02


@pytest.mark.parametrize("losses", [[], [None] * 5])
def test_nothing_to_draw(losses: list[None]) -> None:
    with pytest.raises(InputError, match="no loss is finite, so there is nothing to draw"):
        landscape_figure(PLACES[: len(losses)], losses)
