"""A measured number, or the reason why there is none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """A value in the unit that its name says, or None with a reason; never a zero that only looks like a result."""

    value: float | None
    reason: str | None = None
