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
        "rho": 0.05, "gradient_norm": 3.0, "skipped_steps": 0, "seconds": 12.5, "seconds_per_step": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize("epochs", [1, 2, 3, 30])
def test_all_panels(epochs: int, pixels: Pixels) -> None:
    figure = training_figure([full_row(epoch) for epoch in range(1, epochs + 1)], title="run")
    assert [axes.get_title() for axes in figure.axes] == [panel.title for panel in PANELS]
    loss, dice, *_ = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert [line.get_label() for line in dice.lines] == ["RV", "LV", "mean"]
    np.testing.assert_allclose(dice.lines[2].get_ydata(), 0.6)
    picture = pixels(figure)
    assert picture.std() > 0.02
    assert picture.shape[:2] == (900, 1500)


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


def test_the_mean_is_that_of_the_structures_that_have_a_value() -> None:
    rows: list[Row] = [
        {"epoch": 1, "dice_RV": None, "dice_LV": 0.5},
        {"epoch": 2, "dice_RV": 0.25, "dice_LV": 0.75},
        {"epoch": 3},
    ]
    np.testing.assert_array_equal(training_figure(rows).axes[0].lines[-1].get_ydata(), [0.5, 0.5, np.nan])


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 250])
def test_ticks_are_whole_epochs_and_all_epochs_lie_within_the_axis(epochs: int) -> None:
    figure = training_figure([full_row(epoch) for epoch in range(1, epochs + 1)])
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert low < 1
        assert high > epochs
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert 1 <= len(ticks) <= 9
        assert all(tick == round(tick) for tick in ticks)


@pytest.mark.parametrize("structures", [3, 7, 24])
def test_names_lie_above_the_plot_where_they_hide_no_curve(structures: int) -> None:
    rows: list[Row] = [
        {"epoch": epoch} | {f"dice_{number}": number / structures for number in range(structures)} for epoch in (1, 2)
    ]
    figure = training_figure(rows)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    names, title = legend.get_window_extent(), axes.title.get_window_extent()
    assert axes.get_window_extent().y1 <= names.y0
    assert names.y1 <= title.y1
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["each of 24", "mean"] if structures == 24 else len(labels) == structures + 1


def test_nothing_lies_on_the_frame_where_it_is_not_seen() -> None:
    figure = training_figure([full_row(epoch) | {"dice_RV": 0.0, "dice_LV": 1.0} for epoch in (1, 2)])
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert all(low < value < high for line in axes.lines for value in np.asarray(line.get_ydata()))


def test_gradients_that_explode_are_drawn_by_their_logarithm() -> None:
    rows: list[Row] = [{"epoch": epoch, "gradient_norm": 10.0**epoch, "learning_rate": 0.1**epoch} for epoch in (1, 4)]
    rate, gradient = training_figure(rows).axes
    assert (rate.get_yscale(), gradient.get_yscale()) == ("linear", "log")


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
