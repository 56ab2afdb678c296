"""Which frames of a beating heart are end-diastole (ED) and end-systole (ES): largest and smallest left cavity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from uumamba.measures.measurement import Measurement

LEAP = 0.25
"""A frame leaps out if both neighbours differ from it, to one side, by more than this part of the median volume.

From one frame to the next and back a heart does not change that much: for an ejection fraction of 75 % and a beat of 12
frames, a cosine's extreme differs from its neighbours by 0.08 of the median.
"""
_FEWEST_FRAMES_FOR_LEAPS = 12


@dataclass(frozen=True)
class Phases:
    """The frames of ED and ES, counted from 0, or None for both and the `reason`.

    `left_out` tells for frames among which they were not sought why.
    """

    end_diastole: int | None
    end_systole: int | None
    left_out: Mapping[int, str] = field(default_factory=dict)
    reason: str | None = None


def find_phases(volumes: Sequence[Measurement]) -> Phases:
    """ED is the frame with the largest volume of the left cavity, ES with the smallest; of equals the first.

    Left out are frames without a volume and, in series of 12 frames or more, single frames that leap out (`LEAP`; the
    last frame is followed by the first). Volumes are not smoothed, so a clean series keeps its exact extremes. There is
    no ED and no ES if fewer than two frames or fewer than half are left, or if all have the same volume.
    """
    left_out = {frame: str(volume.reason) for frame, volume in enumerate(volumes) if volume.value is None}
    left_out |= _leaps(volumes)
    usable = {
        frame: volume.value
        for frame, volume in enumerate(volumes)
        if volume.value is not None and frame not in left_out
    }
    why = None
    if len(volumes) < 2:
        why = "a single frame has no ED and ES"
    elif len(usable) < max(2, len(volumes) / 2):
        first, reason = min(left_out.items())
        why = f"{len(usable)} of {len(volumes)} frames show a whole LV, too few (frame {first + 1}: {reason})"
    elif len(set(usable.values())) == 1:
        why = "LV has the same volume in every frame"
    if why is not None:
        return Phases(None, None, left_out, why)
    return Phases(max(usable, key=usable.__getitem__), min(usable, key=usable.__getitem__), left_out)


def _leaps(volumes: Sequence[Measurement]) -> dict[int, str]:
    """The frames that leap out from both their neighbours, and by how much; not known where one has no volume."""
    values = np.array([np.nan if volume.value is None else volume.value for volume in volumes], dtype=float)
    known = values[np.isfinite(values)]
    if len(values) < _FEWEST_FRAMES_FOR_LEAPS or not len(known):
        return {}
    before, after = values - np.roll(values, 1), values - np.roll(values, -1)
    leap = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0)
    return {
        frame: f"LV differs by {size:.0f} ml or more from the frames before and after"
        for frame, size in enumerate(leap.tolist())
        if size > LEAP * np.median(known)
    }
