"""The Dice that probabilities expect: certain ones give the Dice itself."""

import numpy as np
import pytest

from uumamba.measures.expected_dice import expected_dice
from uumamba.metrics import dice


def of(probability: np.ndarray, mask: np.ndarray) -> float | None:
    """From arrays, voxel by voxel."""
    return expected_dice(float(probability[mask].sum()), int(mask.sum()), float(probability.sum()))


def test_certain_probabilities_give_the_dice_with_them() -> None:
    random = np.random.default_rng(0)
    mask, reference = random.random((2, 6, 7, 8)) < 0.3
    assert of(reference.astype(float), mask) == pytest.approx(dice(mask, reference, (1, 1, 1)))
    assert of(mask.astype(float), mask) == 1


def test_many_references_drawn_from_the_probabilities_have_about_this_dice() -> None:
    random = np.random.default_rng(1)
    probability = random.random(20_000)
    mask = probability > 0.5
    drawn = [of((random.random(mask.shape) < probability).astype(float), mask) for _ in range(5)]
    assert of(probability, mask) == pytest.approx(np.mean(drawn), abs=0.005)


def test_doubt_lowers_it_and_no_mask_has_none() -> None:
    mask = np.array([True, True, False])
    assert of(np.array([0.9, 0.9, 0.0]), mask) < of(np.array([1.0, 1.0, 0.0]), mask)
    assert expected_dice(0.0, 0, 0.4) is None
