"""Breaks: ends that face each other, each once, the nearest first."""

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
