"""Weights of the decoder levels."""

from itertools import pairwise

import pytest

from uumamba.losses.deep_supervision import level_weights


@pytest.mark.parametrize("levels", range(1, 9))
def test_halve_and_sum_to_one(levels: int) -> None:
    """Each level half of the one above, the lowest 0, the sum 1."""
    weights = level_weights(levels)
    assert len(weights) == levels
    assert sum(weights) == pytest.approx(1)
    assert all(lower == pytest.approx(upper / 2) for upper, lower in pairwise(weights[:-1]))
    assert weights[-1] == (1 if levels == 1 else 0)


def test_reference_numbers() -> None:
    """ACDC's 3D network has five levels."""
    assert level_weights(5) == pytest.approx((8 / 15, 4 / 15, 2 / 15, 1 / 15, 0))
