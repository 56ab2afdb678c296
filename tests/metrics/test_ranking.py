"""Rank statistics against counting pairs, and the reasons why there is none."""

from itertools import product

import numpy as np
import pytest

from uumamba.metrics.ranking import Ranking, auroc, spearman


def count_pairs(scores: np.ndarray, found: np.ndarray) -> float:
    """The share of pairs in which the one to be found has the higher score."""
    pairs = list(product(scores[found], scores[~found]))
    return sum((one > other) + 0.5 * (one == other) for one, other in pairs) / len(pairs)


@pytest.mark.parametrize("seed", range(4))
def test_auroc_counts_pairs_with_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, found = random.integers(0, 6, 40).astype(float), random.random(40) < 0.3
    assert auroc(scores.tolist(), found.tolist()).value == pytest.approx(count_pairs(scores, found))
    opposite = auroc((-scores).tolist(), found.tolist()).value
    assert opposite == pytest.approx(1 - count_pairs(scores, found))


def test_auroc_of_the_best_the_worst_and_none() -> None:
    assert auroc([3, 4, 1, 2], [True, True, False, False]) == Ranking(1.0)
    assert auroc([1, 2, 3, 4], [True, True, False, False]) == Ranking(0.0)
    assert auroc([5, 5, 5], [True, False, False]) == Ranking(0.5)
    assert auroc([1, 2], [False, False]) == Ranking(None, "none is to be found")
    assert auroc([1, 2], [True, True]) == Ranking(None, "all are to be found")
    assert auroc([], []) == Ranking(None, "none is to be found")


def test_spearman_is_the_correlation_of_ranks() -> None:
    random = np.random.default_rng(0)
    one, other = random.permutation(20), random.permutation(20)
    expected = np.corrcoef(one, other)[0, 1]
    assert spearman((one**3).tolist(), np.exp(other / 5).tolist()).value == pytest.approx(expected)
    assert spearman([1, 2, 3], [1, 4, 9]).value == pytest.approx(1)


def test_spearman_says_why_there_is_none() -> None:
    assert spearman([1, 2], [1, 2]) == Ranking(None, "needs 3 values, got 2")
    assert spearman([1, 1, 1], [1, 2, 3]) == Ranking(None, "all values are equal")
    assert spearman([1, 2, 3], [4, 4, 4]) == Ranking(None, "all values are equal")
