"""The volume curve: every structure, both phases, the numbers, and gaps where there is none."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.fakes.beating import LABELS, Beat, draw_beat
from uumamba.core.errors import InputError
from uumamba.measures import HeartFunction, measure_pair, measure_series
from uumamba.reporting.style import structure_colour
from uumamba.reporting.volume_curve import volume_curve_figure

Pixels = Callable[[Figure], np.ndarray]


@pytest.fixture(scope="module")
def beat() -> Beat:
    return draw_beat((2.0, 2.0, 10.0), first=2)


def measure(beat: Beat, labels: np.ndarray | None = None) -> HeartFunction:
    return measure_series(beat.labels if labels is None else labels, beat.spacing_mm, LABELS)


def test_every_structure_and_both_phases(beat: Beat, pixels: Pixels) -> None:
    function = measure(beat)
    figure = volume_curve_figure(function, title="case 7")
    (axes,) = figure.axes
    curves = {str(line.get_label()): line for line in axes.lines[:3]}
    assert list(curves) == ["RV", "MYO", "LV"]
    assert curves["LV"].get_color() == structure_colour(3)
    np.testing.assert_allclose(curves["LV"].get_ydata(), [volume.value for volume in function.volumes_ml["LV"]])
    np.testing.assert_array_equal(curves["LV"].get_xdata(), np.arange(1, 13))
    assert [text.get_text() for text in axes.texts] == [" ED, frame 3 ", " ES, frame 9 "]
    assert axes.get_title().startswith("case 7\nLV EDV ")
    assert f"LV EF {function.measures['lv_ef_percent'].value:.1f} %" in axes.get_title()
    assert "RV EF" in axes.get_title()
    assert axes.get_xlabel() == "frame"
    assert any("Research use only" in text.get_text() for text in figure.texts)
    assert pixels(figure).std() > 0.02


def test_time_in_milliseconds(beat: Beat) -> None:
    (axes,) = volume_curve_figure(measure(beat), frame_ms=40.0).axes
    np.testing.assert_allclose(axes.lines[0].get_xdata(), np.arange(12) * 40)
    assert axes.get_xlabel() == "time, ms"


def test_gaps_crosses_and_reasons(beat: Beat, pixels: Pixels) -> None:
    labels = beat.labels.copy()
    labels[..., 4] = labels[..., 8]
    labels[:, :, 2, 6] = 0
    figure = volume_curve_figure(measure(beat, labels))
    (axes,) = figure.axes
    left_out = next(line for line in axes.lines if line.get_label() == "left out")
    np.testing.assert_array_equal(left_out.get_xdata(), [5, 7])
    assert np.isnan(np.asarray(axes.lines[2].get_ydata())[6])
    assert pixels(figure).std() > 0.02


def test_without_a_number_the_picture_says_why(beat: Beat, pixels: Pixels) -> None:
    labels = beat.labels.copy()
    labels[:, :, 2] = 0
    figure = volume_curve_figure(measure(beat, labels), title="case 7")
    (axes,) = figure.axes
    assert not axes.texts
    assert axes.get_xlim()[0] < 1
    assert axes.get_xlim()[1] > 12
    assert "no LV EF: at ED no frame could be chosen: 0 of 12 frames show a whole LV" in axes.get_title()
    assert pixels(figure).std() > 0.005


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="a volume curve needs at least one frame, got none"):
        volume_curve_figure(measure_pair({}, {}))
