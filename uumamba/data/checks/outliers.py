"""Which of many numbers is far from all others, when a few may be so."""

from collections.abc import Sequence

import numpy as np

FEWEST_CASES = 10
"""With fewer cases nothing is called far from the rest."""
ROBUST_DEVIATIONS = 5.0
"""Far is at least this many standard deviations, estimated from the median of the distances to the median."""
LARGEST_SHARE = 0.05
"""If more than this share of the cases (and more than one) are far, they are another scanner's and not a slip."""
_DEVIATION_OF_MEDIAN_DISTANCE = 1.4826


def far_from_rest(values: Sequence[float], *, least: float) -> tuple[int, ...]:
    """Indices of the values that are far from the median: by `ROBUST_DEVIATIONS` and by more than `least`."""
    if len(values) < FEWEST_CASES:
        return ()
    distances = np.abs(np.asarray(values) - np.median(values))
    deviation = _DEVIATION_OF_MEDIAN_DISTANCE * float(np.median(distances))
    far = np.flatnonzero(distances > max(least, ROBUST_DEVIATIONS * deviation)).tolist()
    return tuple(far) if len(far) <= largest_group(len(values)) else ()


def largest_group(cases: int) -> int:
    """How many of `cases` may differ from the rest and still be told."""
    return max(1, int(LARGEST_SHARE * cases))
