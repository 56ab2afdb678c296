"""Profiles: what leaps out for a moment is no diameter, what swells is."""

import numpy as np

from uumamba.measures.profile import AT_JUNCTION, Section, without_spikes


def profile(*diameters: float | None) -> list[Section]:
    return [Section(float(at), np.zeros(3), size, size, size) for at, size in enumerate(diameters)]


def kept(*diameters: float | None) -> list[float | None]:
    return [section.equivalent_mm for section in without_spikes(profile(*diameters))]


def test_a_spike_is_taken_out() -> None:
    assert kept(9, 9, 15, 16, 9, 9, 9, 9, 9) == [9, 9, None, None, 9, 9, 9, 9, 9]
    assert kept(None, 16, 9, 9, 9, 9, 9) == [None, None, 9, 9, 9, 9, 9]
    assert without_spikes(profile(9, 9, 15, 9, 9, 9))[2].reason == AT_JUNCTION


def test_what_swells_narrows_or_lasts_stays() -> None:
    swelling = [8.0, 9, 10, 12, 14, 16, 14, 12, 10, 9, 8]
    assert kept(*swelling) == swelling
    narrow = [9.0, 9, 9, 9, 9, 6, 9, 9, 9, 9, 9]
    assert kept(*narrow) == narrow
    wide = [9.0] * 6 + [16.0] * 12
    assert kept(*wide) == wide
    assert kept(None, 9, None) == [None, 9, None]
