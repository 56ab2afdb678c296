"""ED and ES are the extremes of the left cavity, whatever a single bad frame says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.measures import Measurement, Phases, find_phases

ABSENT = Measurement(None, "LV is absent")


def measured(values: list[float] | np.ndarray) -> list[Measurement]:
    return [Measurement(float(volume)) for volume in values]


def beat(frames: int, *, fraction: float = 0.6) -> np.ndarray:
    """A cosine from 100 ml in frame 0."""
    return 100 * (1 - fraction * (1 - np.cos(2 * np.pi * np.arange(frames) / frames)) / 2)


@given(st.lists(st.floats(50, 60), min_size=2, max_size=40).filter(lambda volumes: len(set(volumes)) > 1))
def test_the_first_of_the_largest_and_of_the_smallest(volumes: list[float]) -> None:
    phases = find_phases(measured(volumes))
    assert phases == Phases(volumes.index(max(volumes)), volumes.index(min(volumes)))


@pytest.mark.parametrize("frames", [12, 13, 20, 30])
@pytest.mark.parametrize("fraction", [0.2, 0.6, 0.8])
def test_a_clean_beat_keeps_every_frame(frames: int, fraction: float) -> None:
    assert find_phases(measured(beat(frames, fraction=fraction))) == Phases(0, frames // 2)


@pytest.mark.parametrize(("bad", "volume"), [(3, 5.0), (10, 180.0), (0, 20.0), (19, 1.0)])
def test_a_single_bad_frame_is_left_out(bad: int, volume: float) -> None:
    volumes = beat(20)
    volumes[bad] = volume
    phases = find_phases(measured(volumes))
    assert list(phases.left_out) == [bad]
    assert "ml or more from the frames before and after" in phases.left_out[bad]
    assert phases.end_diastole == (1 if bad == 0 else 0)
    assert phases.end_systole == (9 if bad == 10 else 10)


def test_few_frames_may_leap() -> None:
    assert find_phases(measured([100, 40, 90, 95, 100])) == Phases(0, 1)


def test_frames_without_a_volume_are_left_out() -> None:
    volumes = measured(beat(20))
    volumes[0] = ABSENT
    assert find_phases(volumes) == Phases(1, 10, {0: "LV is absent"})


@pytest.mark.parametrize(
    ("volumes", "reason"),
    [
        (measured([80]), "a single frame has no ED and ES"),
        ([], "a single frame has no ED and ES"),
        ([ABSENT, ABSENT], r"0 of 2 frames show a whole LV, too few (frame 1: LV is absent)"),
        ([Measurement(80.0), ABSENT], "1 of 2 frames show a whole LV, too few (frame 2: LV is absent)"),
        (measured([80, 70]) + 3 * [ABSENT], "2 of 5 frames show a whole LV, too few (frame 3: LV is absent)"),
        (measured([80, 80, 80]), "LV has the same volume in every frame"),
    ],
)
def test_no_phases_with_a_reason(volumes: list[Measurement], reason: str) -> None:
    phases = find_phases(volumes)
    assert (phases.end_diastole, phases.end_systole, phases.reason) == (None, None, reason)
