"""Means over cases, per structure, over all structures and per group, as tables."""

from collections.abc import Iterable, Mapping, Sequence

from uumamba.metrics import METRICS
from uumamba.reporting.html.cells import form_of, number_cell, title_of
from uumamba.reporting.html.evaluation_file import GroupRow, Interval, MetricMean, StructureRow, Summary
from uumamba.reporting.html.page import Block, Cell, Column, Heading, Mark, Row, Table

_COUNTS = {
    "cases": "cases",
    "missed": "missed",
    "false_positives": "false positives",
    "absent": "absent",
    "not_labelled": "not labelled",
    "failed": "failed",
}
_MARKS: Mapping[str, Mark] = {"failed": "bad", "missed": "warn", "false_positives": "warn"}
_NO_MEAN = "no case has a value"


def summary_tables(summary: Summary) -> tuple[Table, ...]:
    """A table of overlap and distances, and one of all else: counts, then mean ± sd of every metric.

    Below a mean stand its interval, and the mean that counts failed cases if it is another. Counts that are 0
    everywhere have no column.
    """
    tables = []
    for caption, metrics in _tables_of(summary.structures).items():
        counts = _counts(summary.structures)
        rows = [_row([Cell(row.structure)], row, counts, metrics) for row in summary.structures]
        if any(metric in summary.overall for metric in metrics):
            overall = (_overall(summary.overall.get(metric), metric) for metric in metrics)
            rows.append(Row((Cell("mean of structures"), *(Cell("") for _ in counts), *overall)))
        tables.append(Table(caption, _columns(["structure"], counts, metrics), tuple(rows)))
    return tuple(tables)


def group_tables(groups: Sequence[GroupRow]) -> tuple[Block, ...]:
    """For each column that groups cases a heading and a table: a row per group and structure."""
    blocks: list[Block] = []
    for column in dict.fromkeys(row.column for row in groups):
        of_it = [row for row in groups if row.column == column]
        metrics, counts = [name for name in METRICS if any(name in row.metrics for row in of_it)], _counts(of_it)
        rows = tuple(_row([Cell(row.group), Cell(row.structure)], row, counts, metrics) for row in of_it)
        caption = f"Mean ± standard deviation over the cases of each {column}."
        blocks += [
            Heading(f"By {column}"),
            Table(caption, _columns([column, "structure"], counts, metrics), rows, sortable=True),
        ]
    return tuple(blocks)


def _tables_of(rows: Sequence[StructureRow]) -> dict[str, list[str]]:
    """The tables' captions with their metrics."""
    found = dict.fromkeys(metric for row in rows for metric in row.metrics)
    parts = {
        "Overlap and distance: mean ± standard deviation over the cases that have a value.": [
            metric for metric in METRICS if metric in found
        ],
        "Volume, prediction minus reference: mean ± standard deviation over the cases that have a value.": [
            metric for metric in found if metric not in METRICS
        ],
    }
    return {caption: metrics for caption, metrics in parts.items() if metrics}


def _counts(rows: Iterable[StructureRow]) -> list[str]:
    return [key for key in _COUNTS if any(getattr(row, key) for row in rows)]


def _columns(names: Sequence[str], counts: Sequence[str], metrics: Sequence[str]) -> tuple[Column, ...]:
    numbers = [*(_COUNTS[key] for key in counts), *(title_of(metric) for metric in metrics)]
    return (*(Column(name) for name in names), *(Column(title, numeric=True) for title in numbers))


def _row(names: Sequence[Cell], row: StructureRow, counts: Sequence[str], metrics: Sequence[str]) -> Row:
    cells = list(names)
    for key in counts:
        number = int(getattr(row, key))
        cells.append(Cell(str(number), number, mark=_MARKS.get(key, "") if number else ""))
    return Row((*cells, *(_mean(row.metrics.get(metric), metric) for metric in metrics)))


def _overall(found: MetricMean | None, metric: str) -> Cell:
    return Cell("") if found is None else _mean(found, metric)


def _mean(found: MetricMean | None, metric: str) -> Cell:
    if found is None or found.mean is None:
        return number_cell(None, "", detail=_NO_MEAN)
    form = form_of(metric)
    text = f"{found.mean:{form}}" + ("" if found.sd is None else f" ± {found.sd:{form}}")
    details = [_interval(found.interval, form)] if found.interval else []
    if found.mean_with_failures is not None and found.mean_with_failures != found.mean:
        details.append(f"with failures {found.mean_with_failures:{form}}")
    return Cell(text, found.mean, "\n".join(details))


def _interval(found: Interval, form: str) -> str:
    if found.low is None or found.high is None:
        return f"no interval: {found.reason}" if found.reason else "no interval"
    return f"95 %: {found.low:{form}} to {found.high:{form}}"
