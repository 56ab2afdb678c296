"""A volume put together from slabs is the whole volume."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.fakes.plan import fake_plan
from uumamba.core.labels import LabelSet
from uumamba.data.preprocess import Geometry
from uumamba.imaging.orientation import STORED
from uumamba.inference.prediction_volume import PredictionVolume

CLASSES, SHAPE = 4, (7, 5, 6)


@pytest.fixture
def scores() -> NDArray[np.float32]:
    return (3 * np.random.default_rng(0).normal(size=(CLASSES + 1, *SHAPE))).astype(np.float32)


PLAIN = LabelSet(names=("background", "a", "b", "c"))
REGIONS = LabelSet(
    names=("background", "all", "some", "two", "one"),
    regions=((1, 2, 3, 4), (1, 3, 4), (3, 4), (3,)),
    written=(2, 1, 4, 3),
)


def volume_of(
    scores: NDArray[np.float32], *cuts: int, maps: bool = True, temperature: float = 1.5, labels: LabelSet = PLAIN
) -> PredictionVolume:
    geometry = Geometry(
        orientation=STORED, spacing_mm=(1, 1, 1), shape_before_crop=SHAPE, crop=tuple((0, size) for size in SHAPE)
    )
    plan = fake_plan((8, 8)).model_copy(update={"labels": labels, "axes": (0, 1, 2)})
    opinions = 2 if len(scores) > CLASSES else 1
    volume = PredictionVolume(geometry, plan, temperature=temperature, keep_winner=True, maps=maps, opinions=opinions)
    for slab in np.split(scores, cuts, axis=1):
        volume.add(slab)
    return volume


def test_slabs_are_the_whole(scores: NDArray[np.float32]) -> None:
    whole, cut = volume_of(scores), volume_of(scores, 1, 2, 5)
    np.testing.assert_array_equal(cut.labels, whole.labels)
    for name in ("winner", "entropy", "disagreement"):  # vectorised functions round by where a number lies in memory
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), atol=1e-6)
    np.testing.assert_allclose(cut.probability_sums, whole.probability_sums)
    np.testing.assert_allclose(cut.sums_in_mask, whole.sums_in_mask)


def test_numbers(scores: NDArray[np.float32]) -> None:
    volume = volume_of(scores, 3)
    probabilities = torch.softmax(torch.from_numpy(scores[:CLASSES]) / 1.5, 0).numpy()
    labels = scores[:CLASSES].argmax(0)
    np.testing.assert_array_equal(volume.labels, labels)
    np.testing.assert_allclose(volume.probability_sums, probabilities.sum((1, 2, 3)), rtol=1e-5)
    in_mask = [probabilities[number][labels == number].sum() for number in range(CLASSES)]
    np.testing.assert_allclose(volume.sums_in_mask, in_mask, rtol=1e-5)
    assert volume.winner is not None
    np.testing.assert_allclose(volume.winner, probabilities.max(0), atol=1e-3)
    expected = -(probabilities * np.log(probabilities)).sum(0) / math.log(CLASSES)
    np.testing.assert_allclose(volume.entropy, expected, atol=1e-6)
    np.testing.assert_array_equal(volume.disagreement, np.maximum(scores[CLASSES], 0))


def test_only_what_is_asked_for(scores: NDArray[np.float32]) -> None:
    plain = volume_of(scores[:CLASSES], maps=False)
    assert plain.entropy is None
    assert plain.disagreement is None
    assert volume_of(scores[:CLASSES]).disagreement is None  # a single opinion disagrees with none


def test_equal_scores_are_the_lower_class() -> None:
    volume = volume_of(np.zeros((CLASSES, *SHAPE), np.float32))
    assert not volume.labels.any()


def test_regions(scores: NDArray[np.float32]) -> None:
    whole, cut = volume_of(scores, labels=REGIONS), volume_of(scores, 1, 2, 5, labels=REGIONS)
    np.testing.assert_array_equal(cut.labels, whole.labels)
    assert set(np.unique(whole.labels)) == {0, 1, 2, 3, 4}
    probabilities = torch.sigmoid(torch.from_numpy(scores[:CLASSES]) / 1.5).numpy()
    expected = np.zeros(SHAPE)
    for probability, number in zip(probabilities, REGIONS.written, strict=True):
        expected[probability > 0.5] = number
    np.testing.assert_array_equal(whole.labels, expected)
    np.testing.assert_allclose(whole.probability_sums, probabilities.sum((1, 2, 3)), rtol=1e-5)
    masks = [np.isin(expected, numbers) for numbers in REGIONS.members.values()]
    in_mask = [probability[mask].sum() for probability, mask in zip(probabilities, masks, strict=True)]
    np.testing.assert_allclose(whole.sums_in_mask, in_mask, rtol=1e-5)
    np.testing.assert_array_equal(whole.sums_in_mask_of(whole.labels), whole.sums_in_mask)
    assert whole.winner is None
    of_each = -(probabilities * np.log(probabilities) + (1 - probabilities) * np.log(1 - probabilities))
    np.testing.assert_allclose(whole.entropy, of_each.mean(0) / math.log(2), atol=1e-5)
    np.testing.assert_array_equal(whole.disagreement, np.maximum(scores[CLASSES], 0))
