"""What the intensities of an image tell: nothing, other units, another scale than all other cases'."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uumamba.data.checks.outliers import far_from_rest
from uumamba.data.problem import Problem

NO_AIR_HU = -200.0
"""Every CT has a lower value: lung or the air around the body, and in a crop without either the noise of fat."""
LEAST_RANGE_FACTOR = 10.0
"""Scales of MRI differ from scanner to scanner; a range that differs by less is never told."""
_VOXELS_ENOUGH = 1_000_000


@dataclass(frozen=True)
class Intensities:
    """The extremes of an image's values, and percentiles of about a million of its voxels, evenly spread."""

    lowest: float
    percentile_01: float
    percentile_99: float
    highest: float


def measure_intensities(data: NDArray[np.float32]) -> Intensities:
    """Extremes and percentiles of an image."""
    values = data.ravel(order="K")
    low, high = np.percentile(values[:: max(1, values.size // _VOXELS_ENOUGH)], (1, 99)).tolist()
    return Intensities(float(values.min()), low, high, float(values.max()))


def is_ct(channel: str) -> bool:
    """Whether a channel of this name is normalised as CT, for all cases alike."""
    return channel.casefold() == "ct"


def value_problems(path: Path, found: Intensities, channel: str | None) -> Iterator[Problem]:
    """An image of one value, or a CT that is not in Hounsfield units; `channel` is its name if that is known."""
    if found.lowest == found.highest:
        what = f"every voxel is {found.lowest:g}"
        yield Problem(path, what, "export the image again, or leave the case out", blocks=False, kind="constant")
    elif channel is not None and is_ct(channel):
        if found.lowest > NO_AIR_HU:
            what = f"its lowest value is {found.lowest:g}, but a CT has air or fat below {NO_AIR_HU:g} HU"
            fix = "apply the rescale slope and intercept (often -1024), or name the channel otherwise if it is no CT"
            yield Problem(path, what, fix, blocks=False, kind="units")
        elif found.percentile_99 < NO_AIR_HU:
            what = f"99 % of its values lie below {found.percentile_99:g} HU, which is no tissue"
            fix = "apply the rescale intercept (often -1024) once, not twice"
            yield Problem(path, what, fix, blocks=False, kind="units")


def range_problems(images: Sequence[tuple[Path, Intensities]]) -> Iterator[Problem]:
    """Images of one channel whose range, from the 1st to the 99th percentile, is far from that of all other cases."""
    known = [(path, found) for path, found in images if found.percentile_99 > found.percentile_01]
    ranges = [log10(found.percentile_99 - found.percentile_01) for _, found in known]
    middle = 10 ** float(np.median(ranges)) if ranges else 0.0
    for index in far_from_rest(ranges, least=log10(LEAST_RANGE_FACTOR)):
        path, found = known[index]
        what = (
            f"its intensities go from {found.percentile_01:g} to {found.percentile_99:g} (1st to 99th percentile), a "
            f"range of {found.percentile_99 - found.percentile_01:.3g}; the middle of all cases is {middle:.3g}"
        )
        fix = "export it as the others were, without normalising it, or leave the case out"
        yield Problem(path, what, fix, blocks=False, kind="intensity_range")
