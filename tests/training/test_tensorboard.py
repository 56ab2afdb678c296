"""TensorBoard's files, read by TensorBoard's own reader."""

import sys
from pathlib import Path

import pytest

from uumamba.core.errors import ConfigError
from uumamba.training.history import Row
from uumamba.training.tensorboard import TensorBoardLog, require_tensorboard


def row(epoch: int, loss: float) -> Row:
    return {
        "epoch": epoch, "loss_training": loss, "term_region": 0.25, "weight_region": 0.5, "dice_RV": None,
        "dice_LV": 0.75, "smoothed_dice": 0.5, "learning_rate": 0.125, "skipped_steps": 0,
    }  # fmt: skip


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag -> (step, value), as TensorBoard would show them."""
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reading.EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_row_becomes_scalars_in_groups_and_none_leaves_a_gap(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log = TensorBoardLog(tmp_path)
    log.write(row(1, 2.0))
    log.write(row(2, 1.0) | {"dice_RV": 0.5})
    kept = scalars(tmp_path)  # before the end: a run that is killed leaves what it wrote
    log.close()
    assert kept == scalars(tmp_path)
    assert kept["loss/training"] == [(1, 2.0), (2, 1.0)]
    assert kept["dice/RV"] == [(2, 0.5)]
    assert set(kept) == {
        "loss/training", "term/region", "weight/region", "dice/RV", "dice/LV", "run/smoothed_dice", "run/learning_rate",
        "run/skipped_steps",
    }  # fmt: skip


def test_a_resumed_run_replaces_the_epochs_that_it_repeats(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for first, losses in ((1, (4.0, 3.0, 2.0)), (3, (1.5, 1.0))):
        log = TensorBoardLog(tmp_path, first_epoch=first)
        for epoch, loss in enumerate(losses, first):
            log.write(row(epoch, loss))
        log.close()
    assert scalars(tmp_path)["loss/training"] == [(1, 4.0), (2, 3.0), (3, 1.5), (4, 1.0)]


def test_without_the_package_the_way_out_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    message = r"training.tensorboard: true needs the package tensorboard.*pip install 'uumamba\[tensorboard\]'"
    with pytest.raises(ConfigError, match=message):
        require_tensorboard()
    with pytest.raises(ConfigError, match=message):
        TensorBoardLog(tmp_path / "tensorboard")
    assert not (tmp_path / "tensorboard").exists()
