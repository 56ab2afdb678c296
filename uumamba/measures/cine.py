"""Function of the heart from its label maps over time, or at end-diastole (ED) and end-systole (ES) alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.measures.body_surface import body_surface_m2, index_measures
from uumamba.measures.completeness import whole_volumes
from uumamba.measures.measurement import Measurement
from uumamba.measures.phases import Phases, find_phases
from uumamba.measures.ventricle import Phase, measure_heart


@dataclass(frozen=True)
class HeartFunction:
    """What a heart does in a beat.

    `measures` has every measure of `MEASURES` (EDV, ESV, SV, EF, mass) and of `INDEXED` (the same per m2 of body
    surface) by name. `volumes_ml` is each structure's volume in every frame, None with the reason where it is absent or
    not whole. `phases` says which frames are ED and ES, counted from 0. RV is measured in the same two frames.
    """

    measures: Mapping[str, Measurement]
    body_surface_m2: Measurement
    volumes_ml: Mapping[str, Sequence[Measurement]]
    phases: Phases


def measure_series(
    labels: NDArray[np.integer],
    spacing_mm: Sequence[float],
    label_set: LabelSet,
    *,
    height_cm: float | None = None,
    weight_kg: float | None = None,
) -> HeartFunction:
    """Measure a series of label maps (x, y, z, time) with the structures LV, RV and MYO; spacing of x, y, z in mm.

    ED and ES are found by `find_phases` in the volumes of LV. Structures that the label set does not have, or that are
    not whole where they are needed, have measures of None with the reason.
    """
    frames = [whole_volumes(labels[..., frame], spacing_mm, label_set) for frame in range(labels.shape[3])]
    volumes = {name: tuple(frame[name] for frame in frames) for name in label_set.members}
    phases = find_phases(volumes["LV"]) if "LV" in volumes else Phases(None, None, reason="the labels have no LV")
    if phases.end_diastole is None or phases.end_systole is None:
        unknown = Measurement(None, f"no frame could be chosen: {phases.reason}")
        end_diastole = end_systole = dict.fromkeys(volumes, unknown)
    else:
        end_diastole, end_systole = frames[phases.end_diastole], frames[phases.end_systole]
    return _function(end_diastole, end_systole, (height_cm, weight_kg), volumes, phases)


def measure_pair(
    end_diastole: Phase, end_systole: Phase, *, height_cm: float | None = None, weight_kg: float | None = None
) -> HeartFunction:
    """Measure a heart from the volumes at ED and ES (`whole_volumes`), as if they were a series of these two frames."""
    names = dict.fromkeys((*end_diastole, *end_systole))
    absent = Measurement(None, "not measured")
    volumes = {name: (end_diastole.get(name, absent), end_systole.get(name, absent)) for name in names}
    return _function(end_diastole, end_systole, (height_cm, weight_kg), volumes, Phases(0, 1))


def _function(
    end_diastole: Phase,
    end_systole: Phase,
    body: tuple[float | None, float | None],
    volumes: Mapping[str, Sequence[Measurement]],
    phases: Phases,
) -> HeartFunction:
    surface = body_surface_m2(*body)
    measures = measure_heart(end_diastole, end_systole)
    return HeartFunction(measures | index_measures(measures, surface), surface, volumes, phases)
