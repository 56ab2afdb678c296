"""Dice on patches and whole volumes, where inference will look, of regions and with ignored voxels: the slow way."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.fakes.plan import fake_network, fake_plan
from tests.fakes.store import fake_store
from uumamba.core.labels import LabelSet, mask_of
from uumamba.data.loader import build_loader, patches_of
from uumamba.inference.region import Region
from uumamba.inference.scores import label_map_of
from uumamba.inference.sliding_window import predict_logits
from uumamba.inference.voxel_sample import SampleSize
from uumamba.losses.segmentation import LossSettings
from uumamba.metrics.overlap import dice
from uumamba.training.validation import FindRegion, validate_patches, validate_volumes

CPU = torch.device("cpu")
PLAIN = LabelSet(names=("background", "shell", "ball"))
REGIONS = LabelSet(names=("background", "all", "ball"), regions=((1, 2), (2,)), written=(1, 2))
BALL_IGNORED = LabelSet(names=("background", "shell"), ignore=2)
OF_EACH = pytest.mark.parametrize("labels", [PLAIN, REGIONS, BALL_IGNORED], ids=["labels", "regions", "ignored"])


@OF_EACH
def test_patches(labels: LabelSet, tmp_path: Path) -> None:
    plan = fake_plan((32, 32)).model_copy(update={"labels": labels})
    store, network = fake_store(tmp_path), fake_network(plan)
    loader = build_loader(
        patches_of(store, plan, store.cases(), deep_supervision=True, seed=0), batch_size=2, iterations=3
    )
    loss = LossSettings().build(labels=labels, batch_dice=True, levels=1)
    result = validate_patches(network, loss, loader.epoch(0), labels, device=CPU)
    network.eval()
    batches = list(loader.epoch(0))
    with torch.inference_mode():
        predicted = torch.cat([label_map_of(network(batch["image"]), labels, dim=1) for batch in batches]).numpy()
    reference = torch.cat([batch["target"][0][:, 0] for batch in batches]).numpy()
    known = reference != labels.ignore
    assert result.dice.keys() == labels.members.keys()
    for name, numbers in labels.members.items():
        ours, theirs = mask_of(predicted, numbers) & known, mask_of(reference, numbers)
        assert result.dice[name] == pytest.approx(2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()))
    assert any(result.dice.values())
    for batch in batches:
        batch["target"] = [torch.zeros_like(level) for level in batch["target"]]
    nothing = validate_patches(network, loss, batches, labels, device=CPU)
    assert set(nothing.dice.values()) == {None}


@OF_EACH
def test_volumes(labels: LabelSet, tmp_path: Path) -> None:
    plan = fake_plan((32, 32)).model_copy(update={"labels": labels})
    store, network = fake_store(tmp_path, cases=1), fake_network(plan)
    found = validate_volumes(network, store, ("case0",), plan, CPU, size=SampleSize(500, 500))["case0"]
    data, reference = store.read_case("case0")
    logits = predict_logits(network, torch.from_numpy(data), patch_size=plan.patch_size, batch_size=plan.batch_size)
    predicted, known = label_map_of(logits, labels, dim=0).numpy(), reference[0] != labels.ignore
    assert found.dice == {
        name: dice(mask_of(predicted, numbers) & known, mask_of(reference[0], numbers), plan.spacing_mm)
        for name, numbers in labels.members.items()
    }
    assert found.prediction is not None
    np.testing.assert_array_equal(found.prediction.unpack(), predicted)
    assert found.sample is not None
    assert (found.sample.logits.shape[1], found.sample.regions) == (
        labels.outputs,
        None if labels.regions is None else labels,
    )
    assert set(found.sample.reference.tolist()) == set(range(labels.classes))


SIZE = SampleSize(10_000, 10_000)


def always(*bounds: tuple[int, int]) -> FindRegion:
    """Finds the same box in every case."""
    first, second, third = bounds

    def find(data: NDArray[np.float32], spacing_mm: Sequence[float]) -> Region:
        assert data.shape == (1, 8, 40, 36)
        assert tuple(spacing_mm) == (5.0, 1.5, 1.25)
        return Region((first, second, third), found=True)

    return find


def test_a_region_is_looked_at_alone_and_the_whole_image_is_a_region(tmp_path: Path) -> None:
    store, plan = fake_store(tmp_path, cases=1), fake_plan((16, 16))
    network, cpu = fake_network(plan).eval(), torch.device("cpu")
    without, whole, part = (
        validate_volumes(network, store, ["case0"], plan, cpu, size=SIZE, find=find)["case0"]
        for find in (None, always((0, 8), (0, 40), (0, 36)), always((2, 6), (10, 30), (0, 20)))
    )
    assert whole.dice == without.dice
    for each in (without, whole, part):
        assert each.sample is not None
        assert each.prediction is not None
    np.testing.assert_array_equal(whole.prediction.unpack(), without.prediction.unpack())  # type: ignore[union-attr]
    np.testing.assert_array_equal(whole.sample.logits, without.sample.logits)  # type: ignore[union-attr]
    predicted = part.prediction.unpack()  # type: ignore[union-attr]
    assert predicted.shape == (8, 40, 36)
    assert predicted[2:6, 10:30, :20].any()
    predicted[2:6, 10:30, :20] = 0
    assert not predicted.any()
    assert part.sample.weights.sum() == 4 * 20 * 20  # type: ignore[union-attr]
    assert part.dice != without.dice
