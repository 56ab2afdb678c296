"""Floor 1: (label map, spacing in mm) to ml, g and %: a number, or None with a reason."""

from uumamba.measures.measurement import Measurement
from uumamba.measures.ventricle import MEASURES, Measure, measure_heart
from uumamba.measures.volume import structure_volumes, volume_measurement, volume_ml

__all__ = [
    "MEASURES",
    "Measure",
    "Measurement",
    "measure_heart",
    "structure_volumes",
    "volume_measurement",
    "volume_ml",
]
