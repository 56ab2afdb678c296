"""Means over cases, per structure and over all, as a table."""

from collections.abc import Sequence

from uumamba.metrics import METRICS
from uumamba.reporting.html.cells import form_of, number_cell, title_of
from uumamba.reporting.html.page import Cell, Column, Row, Table
from uumamba.reporting.html.summary_file import MetricMean, StructureRow, SummaryFile

_COUNTS = {"cases": "cases", "missed": "missed", "false_positives": "false positives", "absent": "absent"}
_NO_MEAN = "no case has a value"


def summary_table(summary: SummaryFile, *, caption: str) -> Table:
    """A row per structure and one over all: counts, then mean ± sd of every metric, with what else is known of it.

    Counts that are 0 everywhere have no column.
    """
    counts = [key for key in (*_COUNTS, "failed") if any(getattr(row, key) for row in summary.structures)]
    metrics = _metrics(summary)
    columns = [Column("structure"), *(Column(_COUNTS.get(key, key), numeric=True) for key in counts)]
    columns += [Column(title_of(metric), numeric=True) for metric in metrics]
    rows = [_row(row, counts, metrics) for row in summary.structures]
    if summary.overall:
        overall = [_mean(summary.overall.get(metric), metric) for metric in metrics]
        rows.append(Row((Cell("mean of structures"), *(Cell("") for _ in counts), *overall)))
    return Table(caption, tuple(columns), tuple(rows))


def _metrics(summary: SummaryFile) -> Sequence[str]:
    """All that any structure has: the known ones in their order, then others."""
    found = dict.fromkeys(metric for row in summary.structures for metric in row.metrics)
    return [*(metric for metric in METRICS if metric in found), *(metric for metric in found if metric not in METRICS)]


def _row(row: StructureRow, counts: Sequence[str], metrics: Sequence[str]) -> Row:
    cells = [Cell(row.structure)]
    for key in counts:
        number = int(getattr(row, key))
        mark = "bad" if key == "failed" else "warn" if key in ("missed", "false_positives") else ""
        cells.append(Cell(str(number), number, mark=mark if number else ""))
    return Row((*cells, *(_mean(row.metrics.get(metric), metric) for metric in metrics)))


def _mean(found: MetricMean | None, metric: str) -> Cell:
    if found is None or found.mean is None:
        return number_cell(None, "", detail=_NO_MEAN)
    form = form_of(metric)
    text = f"{found.mean:{form}}" + ("" if found.sd is None else f" ± {found.sd:{form}}")
    details = []
    if found.interval and found.interval.low is not None and found.interval.high is not None:
        details.append(f"95 %: {found.interval.low:{form}} to {found.interval.high:{form}}")
    if found.mean_with_failures is not None and found.mean_with_failures != found.mean:
        details.append(f"with failures {found.mean_with_failures:{form}}")
    return Cell(text, found.mean, "; ".join(details))
