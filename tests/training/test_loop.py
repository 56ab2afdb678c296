"""The loop on a real small network and store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.fakes.store import fake_store
from uumamba.core.errors import InputError, Interrupted, NotFiniteError
from uumamba.core.interruption import Interruption
from uumamba.core.labels import LabelSet
from uumamba.core.processes import ALONE, BatchSum
from uumamba.core.topology import Topology
from uumamba.data.augment import AugmentationSettings
from uumamba.data.loader import PatchDataset, PatchLoader, build_loader
from uumamba.data.patches import target_strides
from uumamba.data.store import PreprocessedStore
from uumamba.losses.segmentation import LossSettings
from uumamba.models.umamba import UMambaSettings
from uumamba.optim.optimizers import AdamWSettings, SGDSettings
from uumamba.optim.plain import PlainSettings, plain
from uumamba.optim.rules import RuleSettings
from uumamba.optim.schedules import CosineSettings, PolySettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.optim.step import Loss, Objective
from uumamba.optim.weight_average import WeightAverage
from uumamba.training import safekeeping
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.cluster import connected
from uumamba.training.hardware import Precision
from uumamba.training.history import Row, read_history
from uumamba.training.loop import Recipe, TrainingData, TrainingSettings, fit
from uumamba.training.run_directory import RunDirectory
from uumamba.training.safekeeping import Safekeeping, resume
from uumamba.training.setup import set_up
from uumamba.training.state import Training
from uumamba.training.validation import validate_patches

CPU = torch.device("cpu")
LABELS = LabelSet(names=("background", "shell", "ball"))
TOPOLOGY = Topology(
    patch_size=(32, 32), features=(4, 8), kernels=((3, 3), (3, 3)), strides=((1, 1), (2, 2)),
    blocks_encoder=(1, 1), blocks_decoder=(1,),
)  # fmt: skip
SETTINGS = TrainingSettings(epochs=3, iterations=3, validation_iterations=2, accumulate=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PreprocessedStore:
    return fake_store(tmp_path_factory.mktemp("store"), cases=4)


def batches(store: PreprocessedStore, cases: Sequence[str], iterations: int, *, training: bool) -> PatchLoader:
    strides = target_strides(TOPOLOGY.strides)
    augmentation = AugmentationSettings().build(patch_size=(32, 32), mirror_axes=(0, 1)) if training else None
    patches = PatchDataset(store, cases, patch_size=(32, 32), target_strides=strides, seed=1, augmentation=augmentation)
    return build_loader(patches, batch_size=2, iterations=iterations)


def build(
    precision: Precision = "fp32", *, optimizer: SGDSettings | AdamWSettings | None = None, decay: float | None = None
) -> Training:
    torch.manual_seed(5)
    network = UMambaSettings(mamba="bottleneck").build(TOPOLOGY, input_channels=1, classes=3, deep_supervision=True)
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=1)
    with connected(ALONE, CPU) as fabric:
        training = set_up(
            fabric, network, loss, (optimizer or SGDSettings()).build, batch_sum=BatchSum(ALONE),
            precision=precision, clip_norm=12.0, skip_limit=5,
        )  # fmt: skip
    training.average = None if decay is None else WeightAverage(network, decay)
    return training


class StopsAt(Interruption):
    """A signal that comes just before the place, counted from 1, where somebody looks for one."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._left = place

    @property
    def requested(self) -> bool:
        """Look."""
        self._left -= 1
        if self._left <= 0:
            self.name = "SIGTERM"
        return self.name is not None


class Stopped(Exception):
    """Raised where a run is made to stop."""


def run(
    training: Training,
    store: PreprocessedStore,
    folder: Path,
    rule: RuleSettings,
    *,
    stop_after: int = 99,
    interruption: Interruption | None = None,
    settings: TrainingSettings = SETTINGS,
) -> None:
    def on_epoch(rows: Sequence[Row]) -> None:
        if len(rows) == stop_after:
            raise Stopped

    data = TrainingData(
        batches(store, ("case0", "case1", "case2"), settings.iterations * settings.accumulate, training=True),
        batches(store, ("case3",), settings.validation_iterations, training=False),
        LABELS,
    )
    recipe = Recipe(
        rule.build(), CosineSettings().build(epochs=settings.epochs, iterations=settings.iterations), settings
    )
    keeping = Safekeeping(
        training, RunDirectory(folder), interruption or Interruption(), minutes=settings.checkpoint_minutes
    )
    fit(training, recipe, data, keeping, on_epoch=on_epoch)


def without_seconds(rows: Sequence[Row]) -> list[Row]:
    return [{key: value for key, value in row.items() if not key.startswith("seconds")} for row in rows]


def weights(training: Training) -> dict[str, torch.Tensor]:
    average = {} if training.average is None else training.average.state_dict()["weights"]
    averaged = {f"average.{name}": value for name, value in average.items()}
    return {**training.network.state_dict(), **training.loss.state_dict(), **averaged}


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", [SGDSettings(), AdamWSettings()])
def test_a_resumed_run_is_bitwise_the_run_that_never_stopped(
    store: PreprocessedStore, tmp_path: Path, precision: Precision, optimizer: SGDSettings | AdamWSettings
) -> None:
    rule = SharpnessAwareSettings()
    whole = build(precision, optimizer=optimizer, decay=0.9)
    run(whole, store, tmp_path / "whole", rule)
    with pytest.raises(Stopped):
        run(build(precision, optimizer=optimizer, decay=0.9), store, tmp_path / "stopped", rule, stop_after=1)
    again = build(precision, optimizer=optimizer, decay=0.9)
    torch.rand(7)
    resume(again, RunDirectory(tmp_path / "stopped"))
    assert again.epoch == 1
    run(again, store, tmp_path / "stopped", rule)
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())
    assert without_seconds(whole.history) == without_seconds(again.history)


@pytest.mark.parametrize("place", range(1, 14))
def test_a_run_that_is_asked_to_stop_anywhere_goes_on_bitwise(
    store: PreprocessedStore, tmp_path: Path, place: int
) -> None:
    """At every place where a run may stop, between steps and between the batches of a validation."""
    whole = build(decay=0.9)
    run(whole, store, tmp_path / "whole", PlainSettings())
    with pytest.raises(Interrupted, match=r"stopped by SIGTERM after epoch \d"):
        run(build(decay=0.9), store, tmp_path / "stopped", PlainSettings(), interruption=StopsAt(place))
    again = build(decay=0.9)
    torch.rand(7)
    resume(again, RunDirectory(tmp_path / "stopped"))
    run(again, store, tmp_path / "stopped", PlainSettings())
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())
    assert without_seconds(whole.history) == without_seconds(again.history)
    last, ours = (read_checkpoint(tmp_path / each / "last.safetensors") for each in ("whole", "stopped"))
    assert all(torch.equal(value, ours["network"][name]) for name, value in last["network"].items())


def test_checkpoints_come_by_the_clock_too(store: PreprocessedStore, tmp_path: Path) -> None:
    """A run that is killed in its first epoch has lost no more than `checkpoint_minutes`."""
    settings = SETTINGS.model_copy(update={"checkpoint_minutes": 1e-9, "iterations": 3})
    training = build()
    with pytest.raises(Stopped):
        run(training, store, tmp_path, PlainSettings(), settings=settings, stop_after=1)
    kept = read_checkpoint(tmp_path / "last.safetensors")
    assert kept["epoch"] == 1
    spoiled = build()
    spoiled.step.objectives["task"] = raise_at_call(3, spoiled.step.objectives["task"])
    with pytest.raises(Stopped):
        run(spoiled, store, tmp_path / "other", PlainSettings(), settings=settings)
    assert read_checkpoint(tmp_path / "other" / "last.safetensors")["under_way"]["steps"] == 1


def raise_at_call(number: int, objective: Objective) -> Objective:
    calls = []

    def wrapped(model: nn.Module, batch: Any) -> Loss:
        calls.append(1)
        if len(calls) == number:
            raise Stopped
        return objective(model, batch)

    return wrapped


def test_a_best_epoch_whose_checkpoint_was_not_written_gets_it_on_resuming(
    store: PreprocessedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full after the last checkpoint: that epoch is not lost, and neither is the best."""
    written = safekeeping.write_checkpoint

    def full(path: Path, state: dict[str, Any]) -> None:
        if path.name.startswith("best"):
            raise Stopped
        written(path, state)

    monkeypatch.setattr(safekeeping, "write_checkpoint", full)
    with pytest.raises(Stopped):
        run(build(), store, tmp_path, PlainSettings())
    monkeypatch.undo()
    again = build()
    resume(again, RunDirectory(tmp_path))
    assert again.is_at_best
    Safekeeping(again, RunDirectory(tmp_path), Interruption(), minutes=30).save(best=again.is_at_best)
    assert read_checkpoint(tmp_path / "best.safetensors")["epoch"] == again.epoch == 1


def test_patience_ends_a_run_that_no_longer_gets_better(
    store: PreprocessedStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = SETTINGS.model_copy(update={"epochs": 50, "iterations": 1, "accumulate": 1, "patience": 2})
    training = build(optimizer=SGDSettings(learning_rate=1e-12, momentum=0.0, nesterov=False))
    with caplog.at_level("INFO", logger="uumamba"):
        run(training, store, tmp_path, PlainSettings(), settings=settings)
    assert training.epoch == training.best_epoch + 2 < 50
    assert f"the best smoothed Dice is epoch {training.best_epoch}'s" in caplog.text


def test_losses_that_are_never_finite_name_the_last_good_checkpoint(store: PreprocessedStore, tmp_path: Path) -> None:
    training = build()
    settings = SETTINGS.model_copy(update={"iterations": 9})
    with torch.no_grad():
        next(training.network.parameters()).fill_(torch.inf)
    with pytest.raises(NotFiniteError, match=r"5 steps in a row .* last checkpoint: .*last.safetensors"):
        run(training, store, tmp_path, PlainSettings(), settings=settings)


def test_training_learns_and_leaves_its_files(store: PreprocessedStore, tmp_path: Path) -> None:
    training = build()
    before = {name: value.clone() for name, value in weights(training).items()}
    validation = batches(store, ("case3",), 2, training=False)
    untrained = validate_patches(training.network, training.loss, validation.epoch(0), LABELS, device=CPU)
    run(training, store, tmp_path, SharpnessAwareSettings())
    rows = read_history(tmp_path / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss_validation"] is not None
    assert rows[-1]["loss_validation"] < untrained.loss
    rates = [row["learning_rate"] or 0.0 for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert all((row["seconds_per_step"] or 0.0) > 0 for row in rows)
    assert not torch.equal(weights(training)["weighting.s"], before["weighting.s"])
    last, best = (read_checkpoint(tmp_path / f"{name}.safetensors") for name in ("last", "best"))
    assert last["epoch"] == 3
    assert best["smoothed"] == max(row["smoothed_dice"] or 0.0 for row in rows)


def test_without_validation_there_is_no_best_epoch(store: PreprocessedStore, tmp_path: Path) -> None:
    training = build()
    recipe = Recipe(plain(), PolySettings().build(epochs=1, iterations=1), TrainingSettings(epochs=1, iterations=1))
    data = TrainingData(batches(store, ("case0",), 1, training=True), None, LABELS)
    keeping = Safekeeping(training, RunDirectory(tmp_path), Interruption(), minutes=30)
    fit(training, recipe, data, keeping, on_epoch=lambda _: None)
    assert training.history[0]["learning_rate"] == 0.01
    assert (tmp_path / "last.safetensors").is_file()
    assert not (tmp_path / "best.safetensors").exists()


def test_a_run_directory_is_never_lost_by_mistake(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with pytest.raises(InputError, match=r"nothing to resume, no last.safetensors there; start without --resume"):
        directory.check(resume=True, overwrite=False)
    directory.check(resume=False, overwrite=False)
    directory.begin()
    directory.log.write_text("stopped before the first epoch ended")
    directory.check(resume=False, overwrite=False)
    directory.last.write_text("a checkpoint")
    with pytest.raises(InputError, match="holds a run; go on with --resume, or replace it with --overwrite"):
        directory.check(resume=False, overwrite=False)
    directory.check(resume=True, overwrite=False)
    directory.check(resume=False, overwrite=True)
    assert directory.last.read_text() == "a checkpoint"
    directory.begin()
    assert list(directory.path.iterdir()) == []


def test_validation_leaves_ignored_voxels_out(store: PreprocessedStore) -> None:
    batch = next(batches(store, ("case3",), 1, training=False).epoch(0))
    labels = LabelSet(names=("background", "shell"), ignore=2)
    loss = LossSettings().build(labels=labels, batch_dice=True, levels=1)
    network = UMambaSettings(mamba="none").build(TOPOLOGY, input_channels=1, classes=2, deep_supervision=False)
    known = batch["target"][0] != 2
    assert not known.all()
    result = validate_patches(network, loss, [batch], labels, device=CPU)
    with torch.inference_mode():
        predicted = network.eval()(batch["image"]).argmax(1, keepdim=True)[known]
    reference = batch["target"][0][known]
    both = int(((predicted == 1) & (reference == 1)).sum())
    assert result.dice == {"shell": pytest.approx(2 * both / int((predicted == 1).sum() + (reference == 1).sum()))}
