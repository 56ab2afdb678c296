"""Every metric by name: what evaluation computes, writes and summarises."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from uumamba.metrics.centreline import centreline_dice, centreline_overlap
from uumamba.metrics.components import betti0_error
from uumamba.metrics.overlap import dice
from uumamba.metrics.surface import assd_mm, hausdorff95_mm, hausdorff_mm
from uumamba.metrics.surface_dice import surface_dice


@dataclass(frozen=True)
class Metric:
    """One metric: `function(prediction, reference, spacing_mm) -> value`, None if both masks are empty.

    `kind` says what it is, and so its best value and that of a total miss. `title` names it in tables, with its unit.
    `tubular` metrics mean something for thin vessels alone, and are computed for no other structure.
    """

    function: Callable[..., float | None]
    title: str
    kind: Literal["share", "distance", "count"]
    tubular: bool = False

    @property
    def best(self) -> float:
        """What equal masks give."""
        return 1.0 if self.kind == "share" else 0.0

    def of_total_miss(self, diagonal_mm: float, components: int) -> float:
        """The value if exactly one mask is empty.

        0 for a share, the image's diagonal for a distance, the other mask's number of components for a count.
        """
        return {"share": 0.0, "distance": diagonal_mm, "count": float(components)}[self.kind]


METRICS: dict[str, Metric] = {
    "dice": Metric(dice, "Dice", "share"),
    "hd_mm": Metric(hausdorff_mm, "HD, mm", "distance"),
    "hd95_mm": Metric(hausdorff95_mm, "HD95, mm", "distance"),
    "assd_mm": Metric(assd_mm, "ASSD, mm", "distance"),
    "nsd": Metric(surface_dice, "NSD", "share"),
    "cldice": Metric(centreline_dice, "clDice", "share", tubular=True),
    "centreline_overlap": Metric(centreline_overlap, "centreline overlap", "share", tubular=True),
    "betti0_error": Metric(betti0_error, "Betti-0 error", "count", tubular=True),
}


def metrics_at(tolerance_mm: float, *, tubular: bool = True) -> dict[str, Metric]:
    """`METRICS` with the normalised surface Dice at this tolerance in mm; without `tubular`, not those for vessels."""
    nsd = replace(METRICS["nsd"], function=partial(surface_dice, tolerance_mm=tolerance_mm))
    return {name: each for name, each in (METRICS | {"nsd": nsd}).items() if tubular or not each.tubular}


def metrics_for(*, tubular: bool) -> tuple[str, ...]:
    """The names of the metrics of a structure that is a thin vessel, or is not."""
    return tuple(name for name, each in METRICS.items() if tubular or not each.tubular)
