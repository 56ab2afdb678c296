"""Many points in one row, drawn beside each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0.618


def spread_by_rank(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """A place in [0, 1) for each value, by its rank and not by chance: the same numbers give the same picture.

    Values of neighbouring ranks are far apart.
    """
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
    return (ranks * _GOLDEN) % 1
