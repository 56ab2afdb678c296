"""Floor 1: (prediction mask, reference mask, spacing in mm) to a number, or None where there is nothing to compare."""

from uumamba.metrics.overlap import dice
from uumamba.metrics.surface import assd_mm, hausdorff95_mm, hausdorff_mm
from uumamba.metrics.surface_dice import surface_dice
from uumamba.metrics.table import METRICS, Metric, metrics_at

__all__ = ["METRICS", "Metric", "assd_mm", "dice", "hausdorff95_mm", "hausdorff_mm", "metrics_at", "surface_dice"]
