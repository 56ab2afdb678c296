"""Numbers written into the agreement plots are those of the data."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.agreement import Values, bland_altman_figure, correlation_figure

Pixels = Callable[[Figure], np.ndarray]


def points(figure: Figure, index: int = 0) -> np.ndarray:
    (scatter,) = [item for item in figure.axes[index].collections if isinstance(item, PathCollection)]
    return np.asarray(scatter.get_offsets())


def test_correlation(pixels: Pixels) -> None:
    reference, prediction = [50.0, 60.0, 70.0, 40.0], [52.0, 60.0, 74.0, 42.0]
    figure = correlation_figure({"LV EF (%)": (prediction, reference)}, title="ACDC")
    r = np.corrcoef(prediction, reference)[0, 1]
    assert figure.axes[0].get_title() == f"LV EF (%)\nr = {r:.3f}, n = 4"
    np.testing.assert_allclose(points(figure), np.column_stack([reference, prediction]))
    picture = pixels(figure)
    assert picture.shape[:2] == (330, 360)
    assert picture.std() > 0.02


@given(st.lists(st.tuples(st.floats(1, 300), st.floats(1, 300)), min_size=2, max_size=12))
@settings(max_examples=10, deadline=None)
def test_bland_and_altman_against_a_direct_computation(pairs: list[tuple[float, float]]) -> None:
    prediction, reference = np.array(pairs).T
    axes = bland_altman_figure({"x": (prediction.tolist(), reference.tolist())}).axes[0]
    difference = [one - other for one, other in pairs]
    bias = sum(difference) / len(difference)
    sd = (sum((each - bias) ** 2 for each in difference) / (len(difference) - 1)) ** 0.5
    assert axes.get_title() == (
        f"x\nbias {bias:+.1f}, limits {bias - 1.96 * sd:+.1f} to {bias + 1.96 * sd:+.1f}, n = {len(pairs)}"
    )
    heights = sorted(line.get_ydata()[0] for line in axes.lines)
    np.testing.assert_allclose(heights, sorted([bias - 1.96 * sd, 0, bias, bias + 1.96 * sd]), atol=1e-9)
    (scatter,) = [item for item in axes.collections if isinstance(item, PathCollection)]
    np.testing.assert_allclose(scatter.get_offsets(), [[(p + r) / 2, p - r] for p, r in pairs])


@pytest.mark.parametrize("draw", [correlation_figure, bland_altman_figure])
def test_a_panel_for_each_measurement_on_a_page_that_fits_a_screen(draw: Callable[..., Figure], pixels: Pixels) -> None:
    pairs = {f"measure {number} (ml)": ([1.0, 2.0, 4.0], [1.0, 2.5, 3.0]) for number in range(9)}
    figure = draw(pairs)
    assert len(figure.axes) == 9
    height, width = pixels(figure).shape[:2]
    assert (height, width) == (910, 1080)
    assert len(draw(dict(list(pairs.items())[:5])).axes) == 5


def test_perfect_agreement() -> None:
    values = [1.0, 2.0, 3.0]
    assert correlation_figure({"x": (values, values)}).axes[0].get_title() == "x\nr = 1.000, n = 3"
    title = bland_altman_figure({"x": (values, values)}).axes[0].get_title()
    assert title == "x\nbias +0.0, limits +0.0 to +0.0, n = 3"


@pytest.mark.parametrize(
    ("prediction", "reference", "correlation", "bias"),
    [
        ([None, 2.0, float("nan")], [1.0, 3.0, 4.0], "r not defined, n = 1", "bias -1.0, n = 1"),
        ([None], [None], "r not defined, n = 0", "bias not defined"),
        ([], [], "r not defined, n = 0", "bias not defined"),
        ([5.0, 5.0, 5.0], [4.0, 5.0, 6.0], "r not defined, n = 3", "bias +0.0, limits"),
    ],
)
def test_what_is_not_defined_is_said(
    prediction: Values, reference: Values, correlation: str, bias: str, pixels: Pixels
) -> None:
    pairs = {"x": (prediction, reference)}
    assert correlation_figure(pairs).axes[0].get_title() == f"x\n{correlation}"
    figure = bland_altman_figure(pairs)
    assert figure.axes[0].get_title().startswith(f"x\n{bias}")
    assert pixels(figure).std() > 0.01


@pytest.mark.parametrize("draw", [correlation_figure, bland_altman_figure])
def test_errors(draw: Callable[..., Figure]) -> None:
    with pytest.raises(InputError, match="at least one measurement, got none"):
        draw({})
    with pytest.raises(InputError, match="LV EF: 2 predictions and 1 references; give one of each per patient"):
        draw({"LV EF": ([1.0, 2.0], [1.0])})
