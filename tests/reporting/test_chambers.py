"""The chambers' sheet: the middle slice and each structure's area along the stack."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from uumamba.reporting.chambers import chambers_figure

Pixels = Callable[[Figure], np.ndarray]


def test_areas_of_every_structure(pixels: Pixels) -> None:
    labels = np.zeros((20, 24, 8), dtype=np.uint8)
    labels[4:14, 4:14, 1:7] = 2
    labels[6:12, 6:12, 1:7] = 3
    figure = chambers_figure(labels, (2.0, 2.0, 10.0), {"LV": (3,), "MYO": (2,)}, title="case 7")
    picture, areas = figure.axes
    lv, myo = areas.lines
    assert (lv.get_label(), myo.get_label()) == ("LV", "MYO")
    assert max(np.asarray(lv.get_ydata(), dtype=float)) == pytest.approx(36 * 4 / 100)
    assert max(np.asarray(myo.get_ydata(), dtype=float)) == pytest.approx(64 * 4 / 100)
    assert picture.get_title() == "slice 5 of 8, mm"
    assert areas.get_ylabel() == "area, cm²"
    assert pixels(figure).std() > 0.02
