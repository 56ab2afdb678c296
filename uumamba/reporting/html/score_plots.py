"""How a metric is distributed over cases, structure by structure."""

from collections.abc import Mapping, Sequence

from uumamba.metrics import METRICS
from uumamba.reporting.html.cells import form_of, number_of, title_of
from uumamba.reporting.html.page import Plot, Plots
from uumamba.reporting.html.strip_plot import Point, Strip, share_limits, strip_plot

_PLOTTED = (
    "dice",
    "hd95_mm",
    "nsd",
    "cldice",
    "centreline_overlap",
    "betti0_error",
    "difference_ml",
    "volume_error_ml",
)
_STAND_OUT = ("missed", "false positive")


def score_plots(rows: Sequence[Mapping[str, str]]) -> Plots:
    """A plot for each metric that the rows of `scores.csv` have, every point telling its case and outcome."""
    plots = []
    for metric in _PLOTTED:
        strips = _strips(rows, metric)
        if not any(strip.points for strip in strips):
            continue
        title = title_of(metric)
        limits = share_limits(strips) if metric in METRICS and METRICS[metric].best == 1.0 else None
        svg = strip_plot(strips, title=title, form=form_of(metric), limits=limits)
        plots.append(Plot(title, svg))
    return Plots(tuple(plots))


def _strips(rows: Sequence[Mapping[str, str]], metric: str) -> list[Strip]:
    points: dict[str, list[Point]] = {row["structure"]: [] for row in rows}
    for row in rows:
        value = number_of(row.get(metric, ""))
        if value is not None:
            outcome = row.get("outcome", "")
            remark = outcome if outcome in _STAND_OUT else ""
            points[row["structure"]].append(Point(row["case"], value, remark, stands_out=bool(remark)))
    return [Strip(name, of_it) for name, of_it in points.items()]
