"""Floor 1: (prediction mask, reference mask, spacing in mm) to a number, or None where there is nothing to compare."""

from uumamba.metrics.centreline import centreline_dice, centreline_overlap
from uumamba.metrics.components import betti0_error, count_components
from uumamba.metrics.overlap import dice
from uumamba.metrics.surface import assd_mm, hausdorff95_mm, hausdorff_mm
from uumamba.metrics.surface_dice import surface_dice
from uumamba.metrics.table import METRICS, Metric, metrics_at, metrics_for

__all__ = [
    "METRICS",
    "Metric",
    "assd_mm",
    "betti0_error",
    "centreline_dice",
    "centreline_overlap",
    "count_components",
    "dice",
    "hausdorff95_mm",
    "hausdorff_mm",
    "metrics_at",
    "metrics_for",
    "surface_dice",
]
