"""Expected against true Dice: what counts, what is left out, and what is said where there is no figure."""

import numpy as np
import pytest

from uumamba.evaluation.confidence import FAILURE_DICE, POOLED, ConfidenceRow, summarise_confidence


def rows(name: str, expected: list[float | None], dice: list[float | None]) -> list[ConfidenceRow]:
    """One structure in some cases."""
    return [ConfidenceRow(str(case), name, *pair) for case, pair in enumerate(zip(expected, dice, strict=True))]


def test_a_confidence_that_knows_its_failures() -> None:
    wall = rows("wall", [0.9, 0.8, 0.6, 0.5], [0.95, 0.85, 0.69, 0.2])
    cavity = rows("cavity", [0.7, 0.8, 0.9, None], [0.9, 0.8, 0.72, 0.0])
    one, other, pooled = summarise_confidence([*wall, *cavity])
    assert (one.structure, other.structure, pooled.structure) == ("wall", "cavity", POOLED)
    assert (one.spearman.value, one.auroc.value) == (pytest.approx(1), 1)
    assert (one.cases, one.failures, one.without_mask) == (4, 2, 0)
    assert one.mean_expected == pytest.approx(0.7)
    assert (other.cases, other.failures, other.without_mask) == (3, 0, 1)
    assert other.spearman.value == pytest.approx(-1)
    assert (other.auroc.value, other.auroc.reason) == (None, "none is to be found")
    assert (pooled.cases, pooled.failures, pooled.without_mask) == (7, 2, 1)
    assert pooled.auroc.value == 1


def test_a_confidence_that_knows_nothing_is_at_chance() -> None:
    random = np.random.default_rng(0)
    expected, dice = random.random((2, 4000)).tolist()
    found, _ = summarise_confidence(rows("wall", expected, dice))
    assert found.auroc.value == pytest.approx(0.5, abs=0.03)
    assert found.spearman.value == pytest.approx(0, abs=0.05)
    assert found.failures == sum(value < FAILURE_DICE for value in dice)


def test_a_structure_that_is_nowhere_has_no_figure() -> None:
    found, pooled = summarise_confidence(rows("wall", [None, None], [None, 0.0]))
    assert (found.cases, found.without_mask, found.mean_expected, found.mean_dice) == (0, 1, None, None)
    assert found.spearman.reason == "needs 3 values, got 0"
    assert pooled.auroc.value is None
    (nothing,) = summarise_confidence([])
    assert (nothing.structure, nothing.cases) == (POOLED, 0)
