"""The time axis of a series, as its file gives it."""

import math
from dataclasses import dataclass
from typing import Literal

TimeUnit = Literal["sec", "msec", "usec", "unknown"]
_MS_PER_UNIT = {"sec": 1000.0, "msec": 1.0, "usec": 0.001}


@dataclass(frozen=True)
class TimeAxis:
    """Distance of frames and time of the first one, in `unit`; NRRD and MetaImage name no unit.

    The numbers are the file's own, whatever they are: kept for the label map, to be checked before use.
    """

    step: float
    start: float = 0.0
    unit: TimeUnit = "unknown"

    @property
    def step_ms(self) -> float | None:
        """Milliseconds from frame to frame; None if the unit is unknown or the step is no positive number."""
        if self.unit == "unknown" or not 0 < self.step < math.inf:
            return None
        return self.step * _MS_PER_UNIT[self.unit]
