"""The picture of one case every few epochs, drawn from a real store by a real network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread

from tests.fakes.plan import fake_network, fake_plan
from tests.fakes.store import fake_store
from uumamba.data.foreground import foreground_locations
from uumamba.data.store import PreprocessedStore
from uumamba.metrics.overlap import dice
from uumamba.training.snapshot import predict_slices
from uumamba.workflows import validation_overlay
from uumamba.workflows.validation_overlay import ValidationOverlay

CPU = torch.device("cpu")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they are drawn."""
    drawn: list[Figure] = []
    save = validation_overlay.save_figure

    def keep(figure: Figure, path: Path) -> None:
        drawn.append(figure)
        save(figure, path)

    monkeypatch.setattr(validation_overlay, "save_figure", keep)
    return drawn


@pytest.mark.parametrize("patch_size", [(32, 32), (8, 32, 32)])
def test_the_same_slices_of_the_reference_at_every_epoch(
    patch_size: tuple[int, ...], tmp_path: Path, figures: list[Figure]
) -> None:
    store, plan = fake_store(tmp_path / "store", cases=1, shape=(14, 40, 36)), fake_plan(patch_size)
    overlay = ValidationOverlay(store, "case0", plan, CPU, "sam-0, fold 0")
    network = fake_network(plan)
    paths = [overlay.draw(network, epoch, tmp_path / "overlays") for epoch in (10, 250)]
    assert [path.name for path in paths] == ["epoch_0010.png", "epoch_0250.png"]
    assert all(imread(path).std() > 0.1 for path in paths)
    titles = [[axes.get_title() for axes in figure.axes if axes.get_title()] for figure in figures]
    assert titles[0] == titles[1]
    labelled = np.flatnonzero(store.read_case("case0")[1][0].any(axis=(1, 2)))
    numbers = [int(title.removeprefix("slice ")) for title in titles[0]]
    assert len(numbers) == 6
    assert (numbers[0], numbers[-1]) == (labelled[0] + 1, labelled[-1] + 1)


def test_the_title_says_run_epoch_case_and_the_dice_of_what_is_shown(tmp_path: Path, figures: list[Figure]) -> None:
    store, plan = fake_store(tmp_path / "store", cases=2), fake_plan((32, 32))
    network = fake_network(plan)
    ValidationOverlay(store, "case1", plan, CPU, "acdc, fold 3").draw(network, 7, tmp_path)
    slices = [int(axes.get_title().removeprefix("slice ")) - 1 for axes in figures[0].axes if axes.get_title()]
    data, labels = store.read_case("case1")
    predicted, reference = predict_slices(network, data, slices, plan, CPU)[slices], labels[0][slices]
    scores = [dice(predicted == number, reference == number, plan.spacing_mm) for number in (1, 2)]
    expected = "Dice on these slices: shell {:.3f}, ball {:.3f}".format(*scores)
    assert figures[0].get_suptitle().splitlines() == ["acdc, fold 3, epoch 7, case1", expected]


def test_what_is_ignored_or_outside_is_neither_reference_nor_error(tmp_path: Path, figures: list[Figure]) -> None:
    whole = fake_store(tmp_path / "whole", cases=1)
    data, labels = whole.read_case("case0")
    labels[labels == 2] = 9
    labels[:, :, :5] = -1
    store = PreprocessedStore(tmp_path / "store")
    store.write("case0", data, labels, whole.record("case0"), foreground=foreground_locations(labels))
    plan = fake_plan((32, 32), ignore=9)
    ValidationOverlay(store, "case0", plan, CPU, "run").draw(fake_network(plan), 1, tmp_path)
    assert "ball 0.000" in figures[0].get_suptitle() or "ball absent" in figures[0].get_suptitle()
    numbers = [int(axes.get_title().removeprefix("slice ")) for axes in figures[0].axes if axes.get_title()]
    assert {number - 1 for number in numbers} <= set(np.flatnonzero((labels[0] == 1).any(axis=(1, 2))))


def test_slices_lie_along_the_first_network_axis_and_the_others_turn() -> None:
    array = np.zeros((2, 3, 4))
    array[1, 2, 3] = 1
    assert validation_overlay._pictured(array).shape == (4, 3, 2)
    assert validation_overlay._pictured(array)[3, 2, 1] == 1
