"""Compiled loops against scipy, bit for bit."""

import numpy as np
import pytest
from scipy.ndimage import spline_filter1d

from uumamba.data.resampling_kernels import POLE, filter_columns


@pytest.mark.parametrize("length", [2, 3, 25, 40, 724])
def test_the_filter_is_scipys(length: int) -> None:
    values = np.random.default_rng(length).normal(300, 200, (length, 5))
    expected = spline_filter1d(values, 3, axis=0, output=np.float64, mode="nearest")
    filter_columns(values, POLE**length)
    np.testing.assert_array_equal(values, expected)
