"""Training curves: a panel for each kind of number that is there."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.curves import PANELS, Row, training_figure

Pixels = Callable[[Figure], np.ndarray]


def full_row(epoch: int) -> dict[str, float | int | None]:
    return {
        "epoch": epoch, "loss_training": 1 / epoch, "loss_validation": 1.1 / epoch, "term_region": 0.5 / epoch,
        "dice_RV": 0.4, "dice_LV": 0.8, "smoothed_dice": 0.6, "weight_region": 0.5, "learning_rate": 0.01,
        "gradient_norm": 3.0, "skipped_steps": 0, "seconds": 12.5,
    }  # fmt: skip


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_all_panels(epochs: int, pixels: Pixels) -> None:
    figure = training_figure([full_row(epoch) for epoch in range(1, epochs + 1)], title="run")
    assert [axes.get_title() for axes in figure.axes] == [panel.title for panel in PANELS]
    loss, dice, *_ = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert [line.get_label() for line in dice.lines] == ["RV", "LV", "mean"]
    np.testing.assert_allclose(dice.lines[2].get_ydata(), 0.6)
    picture = pixels(figure)
    assert picture.std() > 0.02
    assert picture.shape[:2] == (900, 1000)


def test_only_panels_with_numbers(pixels: Pixels) -> None:
    figure = training_figure([{"epoch": 1, "loss_training": 2.0}, {"epoch": 2, "loss_training": 1.0}])
    assert [axes.get_title() for axes in figure.axes] == ["Loss"]
    assert pixels(figure).std() > 0.02


def test_missing_values_are_gaps(pixels: Pixels) -> None:
    rows: list[Row] = [{"epoch": 1, "dice_RV": None, "gradient_norm": None}, {"epoch": 2, "dice_RV": 0.5}, {"epoch": 3}]
    dice, gradient = training_figure(rows).axes
    np.testing.assert_array_equal(dice.lines[0].get_ydata(), [np.nan, 0.5, np.nan])
    assert gradient.get_yscale() == "linear"
    assert pixels(training_figure(rows)).std() > 0.02


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one row with an epoch, got none"),
        ([{"loss_training": 1.0}], "at least one row with an epoch"),
        ([{"epoch": 1, "seconds": 2.0}], "no column that they know among epoch, seconds"),
    ],
)
def test_nothing_to_draw(rows: list[Row], message: str) -> None:
    with pytest.raises(InputError, match=message):
        training_figure(rows)
