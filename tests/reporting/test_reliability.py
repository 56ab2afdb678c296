"""The reliability diagram draws the bins and names its figures."""

import numpy as np
import pytest

from tests.reporting.conftest import Pixels
from uumamba.core.errors import InputError
from uumamba.metrics.calibration import Reliability, no_voxels
from uumamba.reporting.reliability import reliability_figure


def binned(gap: float) -> Reliability:
    """Four bins, the second empty; where there are voxels the confidence is `gap` above the accuracy."""
    voxels = np.array([10.0, 0.0, 100.0, 1000.0])
    accuracy = np.array([0.2, 0.0, 0.6, 0.85])
    return Reliability(voxels, voxels * (accuracy + gap), voxels * accuracy, nll=500.0, brier=100.0)


def test_bars_are_the_accuracy_and_the_gap(pixels: Pixels) -> None:
    figure = reliability_figure(binned(0.1), binned(0.0), temperature=1.25, title="heart", region="near")
    before, after, *below = figure.axes
    accuracy, gap = before.containers
    np.testing.assert_allclose([bar.get_height() for bar in accuracy], [0.2, 0.6, 0.85])
    np.testing.assert_allclose([bar.get_height() for bar in gap], 0.1, atol=1e-12)
    np.testing.assert_allclose([bar.get_x() for bar in accuracy], [0, 0.5, 0.75])
    np.testing.assert_allclose([bar.get_height() for bar in after.containers[1]], 0, atol=1e-12)
    assert before.get_title() == "before (temperature 1)\nECE 0.1000, NLL 0.4505"
    assert after.get_title() == "after (temperature 1.250)\nECE 0.0000, NLL 0.4505"
    assert figure.get_suptitle() == "heart: 1,110 voxels near"
    shares = [bar.get_height() for bar in below[0].containers[0]]
    assert sum(shares) == pytest.approx(1)
    assert below[0].get_yscale() == "log"
    legend = [text.get_text() for text in below[0].get_legend().get_texts()]
    assert legend == ["mean confidence 0.922", "mean accuracy 0.822"]
    assert pixels(figure).std() > 0.05


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="there is no voxel, so there is nothing to draw; give labelled cases"):
        reliability_figure(no_voxels(), no_voxels(), temperature=1, title="", region="")
