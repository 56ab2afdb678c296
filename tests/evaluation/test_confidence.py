"""Expected against true Dice: what counts, what is left out, and what is said where there is no figure."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from uumamba.evaluation.confidence import FAILURE_DICE, POOLED, ConfidenceRow, summarise_confidence


def rows(name: str, expected: list[float | None], dice: list[float | None]) -> list[ConfidenceRow]:
    """One structure in some cases."""
    return [ConfidenceRow(str(case), name, *pair) for case, pair in enumerate(zip(expected, dice, strict=True))]


def test_statistics_by_hand() -> None:
    true, expected = [0.9, 0.8, 0.6, 0.3, 0.5, None], [0.95, 0.65, 0.7, 0.4, None, 1.0]
    (found,) = summarise_confidence(rows("LV", expected, true))
    assert (found.structure, found.n, found.failures, found.without_mask) == ("LV", 4, 2, 1)
    assert found.mean_confidence == pytest.approx(0.675)
    assert found.mean_dice == pytest.approx(0.65)
    assert found.bias == pytest.approx(0.025)
    assert found.mean_absolute_error == pytest.approx((0.05 + 0.15 + 0.1 + 0.1) / 4)
    assert found.spearman == pytest.approx(spearmanr(expected[:4], true[:4]).statistic)
    assert found.auroc == pytest.approx(3 / 4)


def test_a_confidence_that_knows_its_failures() -> None:
    wall = rows("wall", [0.9, 0.8, 0.6, 0.5], [0.95, 0.85, 0.69, 0.2])
    cavity = rows("cavity", [0.7, 0.8, 0.9, None], [0.9, 0.8, 0.72, 0.0])
    one, other, pooled = summarise_confidence([*wall, *cavity])
    assert (one.structure, other.structure, pooled.structure) == ("wall", "cavity", POOLED)
    assert (one.spearman, one.auroc) == (pytest.approx(1), 1)
    assert (one.n, one.failures, one.without_mask) == (4, 2, 0)
    assert (other.n, other.failures, other.without_mask) == (3, 0, 1)
    assert other.spearman == pytest.approx(-1)
    assert (other.auroc, other.auroc_reason) == (None, "none is to be found")
    assert (pooled.n, pooled.failures, pooled.without_mask) == (7, 2, 1)
    assert pooled.auroc == 1


def test_a_confidence_that_knows_nothing_is_at_chance() -> None:
    random = np.random.default_rng(0)
    expected, dice = random.random((2, 4000)).tolist()
    (found,) = summarise_confidence(rows("wall", expected, dice))
    assert found.auroc == pytest.approx(0.5, abs=0.03)
    assert found.spearman == pytest.approx(0, abs=0.05)
    assert found.failures == sum(value < FAILURE_DICE for value in dice)


def test_a_structure_that_is_nowhere_has_no_figure() -> None:
    (found,) = summarise_confidence(rows("wall", [None, None], [None, 0.0]))
    assert (found.n, found.without_mask, found.mean_confidence, found.mean_dice) == (0, 1, None, None)
    assert (found.bias, found.mean_absolute_error, found.auroc) == (None, None, None)
    assert found.spearman_reason == "needs 3 values, got 0"
    assert summarise_confidence([]) == ()
