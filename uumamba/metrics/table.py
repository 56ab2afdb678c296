"""Every metric by name: what evaluation computes, writes and summarises."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from uumamba.metrics.overlap import dice
from uumamba.metrics.surface import assd_mm, hausdorff95_mm, hausdorff_mm
from uumamba.metrics.surface_dice import surface_dice


@dataclass(frozen=True)
class Metric:
    """One metric: `function(prediction, reference, spacing_mm) -> value`, None if both masks are empty.

    `best` is what equal masks give. `title` names it in tables, with its unit.
    """

    function: Callable[..., float | None]
    title: str
    best: float

    def of_total_miss(self, diagonal_mm: float) -> float:
        """The value if exactly one mask is empty: 0 for an overlap, the image's diagonal for a distance."""
        return 0.0 if self.best == 1.0 else diagonal_mm


METRICS: dict[str, Metric] = {
    "dice": Metric(dice, "Dice", best=1.0),
    "hd_mm": Metric(hausdorff_mm, "HD, mm", best=0.0),
    "hd95_mm": Metric(hausdorff95_mm, "HD95, mm", best=0.0),
    "assd_mm": Metric(assd_mm, "ASSD, mm", best=0.0),
    "nsd": Metric(surface_dice, "NSD", best=1.0),
}


def metrics_at(tolerance_mm: float) -> dict[str, Metric]:
    """`METRICS` with the normalised surface Dice at this tolerance in mm."""
    return METRICS | {"nsd": Metric(partial(surface_dice, tolerance_mm=tolerance_mm), METRICS["nsd"].title, best=1.0)}
