"""Missing numbers are left out, never counted as 0."""

import pytest

from uumamba.core.statistics import mean_of_known


def test_the_mean_of_those_that_are_known() -> None:
    assert mean_of_known([0.5, None, 1.0]) == 0.75
    assert mean_of_known(value for value in (0.0, 1.0)) == 0.5
    assert mean_of_known([0.1] * 10) == pytest.approx(0.1, abs=0)


def test_none_of_none() -> None:
    assert mean_of_known([]) is None
    assert mean_of_known([None, None]) is None
