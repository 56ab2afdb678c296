"""Points in one row are drawn apart, always alike."""

import numpy as np

from uumamba.reporting.spread import spread_by_rank


def test_equal_and_neighbouring_values_are_apart_and_always_alike() -> None:
    values = [0.5, 0.9, 0.5, 0.5, 0.7]
    places = spread_by_rank(values)
    assert ((places >= 0) & (places < 1)).all()
    np.testing.assert_array_equal(places, spread_by_rank(np.array(values)))
    by_rank = places[np.argsort(values, kind="stable")]
    assert (np.abs(np.diff(by_rank)) > 0.3).all()
    assert len(set(places)) == 5
    assert spread_by_rank([]).shape == (0,)
