"""Numbers written into the agreement and box plots are those of the data."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.agreement import Values, agreement_figure, dice_figure

Pixels = Callable[[Figure], np.ndarray]


def points(figure: Figure, index: int) -> np.ndarray:
    (scatter,) = [item for item in figure.axes[index].collections if isinstance(item, PathCollection)]
    return np.asarray(scatter.get_offsets())


def test_bias_limits_and_correlation(pixels: Pixels) -> None:
    reference = [50.0, 60.0, 70.0, 40.0]
    prediction = [52.0, 60.0, 74.0, 42.0]
    figure = agreement_figure({"LV EF (%)": (prediction, reference)}, title="ACDC")
    correlation, bland_altman = figure.axes
    r = np.corrcoef(prediction, reference)[0, 1]
    assert correlation.get_title() == f"LV EF (%): r = {r:.3f}, n = 4"
    spread = 1.96 * np.std([2, 0, 4, 2], ddof=1)
    assert bland_altman.get_title() == f"bias +2.0, limits of agreement {2 - spread:+.1f} to {2 + spread:+.1f}"
    heights = sorted(line.get_ydata()[0] for line in bland_altman.lines)
    np.testing.assert_allclose(heights, [2 - spread, 0, 2, 2 + spread])
    np.testing.assert_allclose(points(figure, 0), np.column_stack([reference, prediction]))
    np.testing.assert_allclose(points(figure, 1), [[51, 2], [60, 0], [72, 4], [41, 2]])
    picture = pixels(figure)
    assert picture.shape[:2] == (370, 860)
    assert picture.std() > 0.02


def test_a_row_of_plots_for_each_measurement(pixels: Pixels) -> None:
    pairs = {name: ([1.0, 2.0, 4.0], [1.0, 2.5, 3.0]) for name in ("LV EDV (ml)", "RV EDV (ml)", "mass (g)")}
    figure = agreement_figure(pairs)
    assert len(figure.axes) == 6
    assert pixels(figure).shape[:2] == (1030, 860)


def test_perfect_agreement(pixels: Pixels) -> None:
    values = [1.0, 2.0, 3.0]
    figure = agreement_figure({"x": (values, values)})
    assert figure.axes[0].get_title() == "x: r = 1.000, n = 3"
    assert figure.axes[1].get_title() == "bias +0.0, limits of agreement +0.0 to +0.0"
    assert pixels(figure).std() > 0.02


@pytest.mark.parametrize(
    ("prediction", "reference", "correlation", "bias"),
    [
        ([None, 2.0, float("nan")], [1.0, 3.0, 4.0], "r not defined, n = 1", "bias -1.0"),
        ([None], [None], "r not defined, n = 0", "bias not defined"),
        ([], [], "r not defined, n = 0", "bias not defined"),
        ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0], "r not defined, n = 3", "bias +0.0, limits"),
    ],
)
def test_what_is_not_defined_is_said(
    prediction: Values, reference: Values, correlation: str, bias: str, pixels: Pixels
) -> None:
    figure = agreement_figure({"x": (prediction, reference)})
    assert figure.axes[0].get_title() == f"x: {correlation}"
    assert figure.axes[1].get_title().startswith(bias)
    assert pixels(figure).std() > 0.01


def test_agreement_errors() -> None:
    with pytest.raises(InputError, match="at least one measurement, got none"):
        agreement_figure({})
    with pytest.raises(InputError, match="LV EF: 2 predictions and 1 references; give one of each per patient"):
        agreement_figure({"LV EF": ([1.0, 2.0], [1.0])})


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
