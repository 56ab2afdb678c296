"""Floor 1: (label map, spacing in mm) to ml, g and %: a number, or None with a reason."""

from uumamba.measures.body_surface import INDEXED, body_surface_m2
from uumamba.measures.cine import HeartFunction, measure_pair, measure_series
from uumamba.measures.completeness import incompleteness, whole_volumes
from uumamba.measures.measurement import Measurement
from uumamba.measures.phases import Phases, find_phases
from uumamba.measures.ventricle import MEASURES, Measure, measure_heart
from uumamba.measures.volume import structure_volumes, volume_measurement, volume_ml

__all__ = [
    "INDEXED",
    "MEASURES",
    "HeartFunction",
    "Measure",
    "Measurement",
    "Phases",
    "body_surface_m2",
    "find_phases",
    "incompleteness",
    "measure_heart",
    "measure_pair",
    "measure_series",
    "structure_volumes",
    "volume_measurement",
    "volume_ml",
    "whole_volumes",
]
