"""Breaks: ends that face each other, each once, the nearest first."""

from itertools import combinations

import numpy as np
import pytest

from uumamba.measures.gaps import End, find_gaps

UP, DOWN = np.array([0.0, 0, 1]), np.array([0.0, 0, -1])


def end(height: float, outward: np.ndarray, *, x: float = 0.0, diameter: float = 3.0) -> End:
    return End(np.array([x, 0, height]), outward, diameter)


def test_ends_that_face_each_other() -> None:
    (gap,) = find_gaps([end(0, UP), end(2, DOWN)])
    assert (gap.ends, gap.length_mm) == ((0, 1), pytest.approx(2))


def test_a_lower_end_may_lie_beside_an_oblique_cut() -> None:
    assert len(find_gaps([end(0, UP), end(0.4, DOWN, x=1.5)])) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (end(0, UP), end(11, DOWN)),
        (end(0, UP), end(2, UP)),
        (end(0, DOWN), end(9, UP)),
        (end(0, UP), end(1, DOWN, x=9)),
    ],
    ids=["too far", "one behind the other", "back to back", "side by side"],
)
def test_ends_that_do_not(first: End, second: End) -> None:
    assert not find_gaps([first, second])


def test_a_wide_vessel_may_have_a_wide_gap() -> None:
    assert len(find_gaps([end(0, UP, diameter=30), end(20, DOWN, diameter=30)])) == 1


def test_each_end_is_part_of_one_break() -> None:
    (gap,) = find_gaps([end(0, UP), end(5, DOWN), end(2, DOWN, x=0.5)])
    assert gap.ends == (0, 2)


def test_the_same_as_by_looking_at_all_pairs() -> None:
    random = np.random.default_rng(0)
    outward = random.normal(size=(60, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    places, diameters = random.uniform(0, 40, (60, 3)), random.uniform(1, 14, 60)
    ends = [End(*each) for each in zip(places, outward, diameters, strict=True)]
    alone = {pair for pair in combinations(range(60), 2) if find_gaps([ends[number] for number in pair])}
    found = find_gaps(ends)
    assert len(found) > 3
    assert {gap.ends for gap in found} <= alone
    taken = {number for gap in found for number in gap.ends}
    assert all(set(pair) & taken for pair in alone)
    assert not find_gaps([])
