"""Bland and Altman's numbers and the correlation, against scipy and by their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from uumamba.evaluation.agreement import Agreement, agreement

numbers = st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=3, max_size=20)


def test_by_hand() -> None:
    found = agreement([10, 22, 33], [10, 20, 30])
    assert found.n == 3
    assert found.bias == pytest.approx(5 / 3)
    assert found.sd == pytest.approx(np.std([0, 2, 3], ddof=1))
    assert found.lower == pytest.approx(5 / 3 - 1.96 * np.std([0, 2, 3], ddof=1))
    assert found.mean_absolute_error == pytest.approx(5 / 3)


@given(numbers)
def test_as_scipy_and_between_its_limits(pairs: list[tuple[float, float]]) -> None:
    predictions, references = np.array(pairs).T
    found = agreement(predictions.tolist(), references.tolist())
    assert found.bias is not None
    assert found.mean_absolute_error is not None
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.bias <= found.upper
    assert abs(found.bias) <= found.mean_absolute_error + 1e-9
    swapped = agreement(references.tolist(), predictions.tolist())
    assert swapped.bias == pytest.approx(-found.bias)
    if np.ptp(predictions) > 1 and np.ptp(references) > 1:
        assert found.pearson == pytest.approx(pearsonr(predictions, references).statistic, abs=1e-9)
        assert swapped.pearson == pytest.approx(found.pearson)


def test_perfect_agreement() -> None:
    found = agreement([1, 2, 4], [1, 2, 4])
    assert (found.bias, found.sd, found.lower, found.upper, found.mean_absolute_error) == (0, 0, 0, 0, 0)
    assert found.pearson == pytest.approx(1.0)


def test_too_few_is_no_number() -> None:
    assert agreement([], []) == Agreement(0, None, None, None, None, None, None, "needs 3 patients, got 0")
    assert agreement([3], [1]) == Agreement(1, 2.0, None, None, None, 2.0, None, "needs 3 patients, got 1")
    two = agreement([3, 5], [1, 1])
    assert (two.bias, two.pearson, two.pearson_reason) == (3.0, None, "needs 3 patients, got 2")


def test_no_variation_is_no_correlation() -> None:
    found = agreement([1, 2, 3], [5, 5, 5])
    assert (found.pearson, found.pearson_reason) == (None, "does not vary between patients")
