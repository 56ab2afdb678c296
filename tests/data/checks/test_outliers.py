"""What is far from the rest, and what is only rare."""

from hypothesis import given, settings
from hypothesis import strategies as st

from uumamba.data.checks.outliers import FEWEST_CASES, far_from_rest


def test_one_far_number_is_told() -> None:
    assert far_from_rest([1.0] * 10 + [3.0], least=1.0) == (10,)


def test_a_number_no_farther_than_the_least_is_not() -> None:
    assert far_from_rest([1.0] * 10 + [2.0], least=1.0) == ()


def test_a_number_as_far_as_spread_ones_may_be_is_not() -> None:
    assert far_from_rest([float(number) for number in range(20)], least=1.0) == ()


def test_a_second_kind_of_scanner_is_not() -> None:
    assert far_from_rest([1.0] * 40 + [9.0] * 2, least=1.0) == (40, 41)
    assert far_from_rest([1.0] * 40 + [9.0] * 3, least=1.0) == ()


def test_of_few_cases_none_is() -> None:
    assert far_from_rest([1.0] * (FEWEST_CASES - 2) + [99.0], least=1.0) == ()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-10, 10), min_size=FEWEST_CASES, max_size=40), st.floats(-100, 100))
def test_a_shift_of_all_changes_nothing(values: list[float], shift: float) -> None:
    rounded = [round(value, 3) for value in values]
    moved = [value + round(shift, 3) for value in rounded]
    assert far_from_rest(rounded, least=1.0005) == far_from_rest(moved, least=1.0005)
