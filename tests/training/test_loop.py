"""The loop on a real small network and store."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.fakes.store import fake_store
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.augment import AugmentationSettings
from uumamba.data.loader import PatchDataset, PatchLoader, build_loader
from uumamba.data.patches import target_strides
from uumamba.data.store import PreprocessedStore
from uumamba.losses.segmentation import LossSettings
from uumamba.models.umamba import UMambaSettings
from uumamba.optim.optimizers import AdamWSettings, SGDSettings
from uumamba.optim.rules import RuleSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.hardware import Precision
from uumamba.training.history import Row, read_history
from uumamba.training.loop import Training, TrainingSettings, fit, resume
from uumamba.training.run_directory import RunDirectory
from uumamba.training.setup import set_up
from uumamba.training.validation import validate_patches

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


def build(precision: Precision = "fp32", *, optimizer: SGDSettings | AdamWSettings | None = None) -> Training:
    torch.manual_seed(5)
    network = UMambaSettings(mamba="bottleneck").build(TOPOLOGY, input_channels=1, classes=3, deep_supervision=True)
    return set_up(
        network, LossSettings().build(labels=LABELS, batch_dice=True, levels=1), (optimizer or SGDSettings()).build,
        device=torch.device("cpu"), precision=precision, clip_norm=12.0, skip_limit=5,
    )  # fmt: skip


class Stopped(Exception):
    """Raised where a run is made to stop."""


def run(
    training: Training, store: PreprocessedStore, folder: Path, rule: RuleSettings, *, stop_after: int = 99
) -> None:
    def on_epoch(rows: Sequence[Row]) -> None:
        if len(rows) == stop_after:
            raise Stopped

    fit(
        training, rule.build(), SETTINGS,
        batches=batches(store, ("case0", "case1", "case2"), SETTINGS.iterations * SETTINGS.accumulate, training=True),
        validation=batches(store, ("case3",), SETTINGS.validation_iterations, training=False),
        labels=LABELS, directory=RunDirectory(folder), on_epoch=on_epoch,
    )  # fmt: skip


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {**training.network.state_dict(), **training.loss.state_dict()}


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", [SGDSettings(), AdamWSettings()])
def test_a_resumed_run_is_bitwise_the_run_that_never_stopped(
    store: PreprocessedStore, tmp_path: Path, precision: Precision, optimizer: SGDSettings | AdamWSettings
) -> None:
    rule = SharpnessAwareSettings()
    whole = build(precision, optimizer=optimizer)
    run(whole, store, tmp_path / "whole", rule)
    with pytest.raises(Stopped):
        run(build(precision, optimizer=optimizer), store, tmp_path / "stopped", rule, stop_after=1)
    again = build(precision, optimizer=optimizer)
    torch.rand(7)
    resume(again, RunDirectory(tmp_path / "stopped"))
    assert again.epoch == 1
    run(again, store, tmp_path / "stopped", rule)
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())
    kept = [{key: value for key, value in row.items() if key != "seconds"} for row in whole.history]
    assert kept == [{key: value for key, value in row.items() if key != "seconds"} for row in again.history]


def test_training_learns_and_leaves_its_files(store: PreprocessedStore, tmp_path: Path) -> None:
    training = build()
    before = {name: value.clone() for name, value in weights(training).items()}
    validation = batches(store, ("case3",), 2, training=False)
    untrained = validate_patches(training.network, training.loss, validation.epoch(0), LABELS, torch.device("cpu"))
    run(training, store, tmp_path, SharpnessAwareSettings())
    rows = read_history(tmp_path / "history.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss_validation"] is not None
    assert rows[-1]["loss_validation"] < untrained.loss
    rates = [row["learning_rate"] or 0.0 for row in rows]
    assert rates[0] == 0.01
    assert rates == sorted(rates, reverse=True)
    assert not torch.equal(weights(training)["weighting.s"], before["weighting.s"])
    last, best = (read_checkpoint(tmp_path / f"{name}.safetensors") for name in ("last", "best"))
    assert last["epoch"] == 3
    assert best["smoothed"] == max(row["smoothed_dice"] or 0.0 for row in rows)


def test_without_validation_there_is_no_best_epoch(store: PreprocessedStore, tmp_path: Path) -> None:
    training = build()
    fit(
        training, SharpnessAwareSettings().build(), TrainingSettings(epochs=1, iterations=1),
        batches=batches(store, ("case0",), 1, training=True), validation=None, labels=LABELS,
        directory=RunDirectory(tmp_path), on_epoch=lambda _: None,
    )  # fmt: skip
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
    result = validate_patches(network, loss, [batch], labels, torch.device("cpu"))
    with torch.inference_mode():
        predicted = network.eval()(batch["image"]).argmax(1, keepdim=True)[known]
    reference = batch["target"][0][known]
    both = int(((predicted == 1) & (reference == 1)).sum())
    assert result.dice == {"shell": pytest.approx(2 * both / int((predicted == 1).sum() + (reference == 1).sum()))}
