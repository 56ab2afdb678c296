"""Floor 1: clinical measures, (label map, spacing in mm) -> ml, %, g: a number, or None with a reason."""

from uumamba.measures.measurement import Measurement
from uumamba.measures.ventricle import MEASURES, Measure, measure_heart
from uumamba.measures.volume import structure_volumes, volume_measurement, volume_ml

__all__ = ["MEASURES", "Measure", "Measurement", "measure_heart", "structure_volumes", "volume_measurement", "volume_ml"]
