"""Box plots of scores: their numbers are those of the data."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.scores import dice_figure

Pixels = Callable[[Figure], np.ndarray]


def points(figure: Figure, index: int) -> np.ndarray:
    (scatter,) = [item for item in figure.axes[index].collections if isinstance(item, PathCollection)]
    return np.asarray(scatter.get_offsets())


def test_box_plot_tells_its_numbers(pixels: Pixels) -> None:
    figure = dice_figure({"RV": [0.5, 0.7, 0.9], "LV": [0.95, None, float("nan")], "none": [None]}, title="ACDC")
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == [
        "RV\nmedian 0.700\n(0.600 to 0.800)\nn = 3",
        "LV\nmedian 0.950\n(0.950 to 0.950)\nn = 1",
        "none\nno value",
    ]
    assert sum(len(item.get_offsets()) for item in axes.collections) == 4
    assert axes.get_ylim()[0] < 0.5
    picture = pixels(figure)
    assert picture.shape[:2] == (400, 550)
    assert picture.std() > 0.02


def test_every_point_has_its_value() -> None:
    values = [0.3, 0.9, 0.3, 0.5]
    drawn = points(dice_figure({"RV": values}), 0)
    np.testing.assert_allclose(drawn[:, 1], values)
    assert (np.abs(drawn[:, 0] - 1) < 0.25).all()


def test_box_plot_errors() -> None:
    with pytest.raises(InputError, match="at least one structure, got none"):
        dice_figure({})
    with pytest.raises(InputError, match=r"Dice of RV must be in \[0, 1\], got 0\.5 to 91"):
        dice_figure({"RV": [0.5, 91.0]})
