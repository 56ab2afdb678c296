"""An evaluation for the screen: tables to print and the remarks that belong below them."""

from rich.table import Table

from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.summary import MetricSummary, OverallMean
from uumamba.measures import MEASURES
from uumamba.metrics import METRICS

_NONE = "-"
_NAMES_SHOWN = 5


def summary_table(evaluation: Evaluation) -> Table:
    """One row per structure and one over all: mean and standard deviation of every metric over the cases.

    Misses, false positives and failures have a column where there are any. With failed cases, the mean that counts
    them as total misses stands below each mean.
    """
    failed = bool(evaluation.failures)
    structures = evaluation.summary.structures
    counts = {
        "cases": [each.cases for each in structures],
        "missed": [each.missed for each in structures],
        "false positives": [each.false_positives for each in structures],
        "failed": [each.failed for each in structures],
    }
    counts = {header: numbers for header, numbers in counts.items() if any(numbers)}
    table = Table(title="Mean ± sd over cases" + ("; below, failed cases as total misses" if failed else ""))
    table.add_column("structure")
    for header in (*counts, *(metric.title for metric in METRICS.values())):
        table.add_column(header, justify="right")
    for row, each in enumerate(structures):
        cells = (_metric_cell(name, each.metrics[name], failed) for name in METRICS)
        table.add_row(each.structure, *(str(numbers[row]) for numbers in counts.values()), *cells)
    table.add_section()
    overall = (_overall_cell(name, evaluation.summary.overall[name], failed) for name in METRICS)
    table.add_row("mean", *[""] * len(counts), *overall)
    return table


def clinical_summary_table(evaluation: Evaluation) -> Table:
    """One row per clinical measure: how many patients, correlation, bias, sd of differences, limits of agreement."""
    table = Table(title="Prediction - reference, per patient")
    table.add_column("measure")
    for header in ("n", "unmeasured", "correlation", "bias", "sd", "95 % limits", "mean abs. error"):
        table.add_column(header, justify="right")
    for each in evaluation.agreements:
        found = each.agreement
        limits = f"{_number(found.lower)} to {_number(found.upper)}" if found.lower is not None else _NONE
        table.add_row(
            MEASURES[each.measure].title,
            str(found.n),
            str(len(each.unmeasured)),
            _number(found.pearson, 3),
            _number(found.bias),
            _number(found.sd),
            limits,
            _number(found.mean_absolute_error),
        )
    return table


def remarks(evaluation: Evaluation) -> list[str]:
    """What a reader of the tables must know, a line each: failed cases by name, predictions without a reference."""
    lines = [f"{case} failed: {reason}" for case, reason in list(evaluation.failures.items())[:_NAMES_SHOWN]]
    if len(evaluation.failures) > _NAMES_SHOWN:
        lines.append(f"... {len(evaluation.failures)} cases failed in all; every one is in summary.json")
    if evaluation.extra:
        names = ", ".join(path.name for path in evaluation.extra[:_NAMES_SHOWN])
        more = ", ..." if len(evaluation.extra) > _NAMES_SHOWN else ""
        lines.append(f"not scored, as there is no reference: {len(evaluation.extra)} ({names}{more})")
    return lines


def _metric_cell(name: str, summary: MetricSummary, failed: bool) -> str:
    spread = f" ± {_number(summary.sd, _decimals(name))}" if summary.sd is not None else ""
    return _with_failures(name, _number(summary.mean, _decimals(name)) + spread, summary.mean_with_failures, failed)


def _overall_cell(name: str, overall: OverallMean, failed: bool) -> str:
    return _with_failures(name, _number(overall.mean, _decimals(name)), overall.mean_with_failures, failed)


def _with_failures(name: str, cell: str, mean: float | None, failed: bool) -> str:
    return f"{cell}\n{_number(mean, _decimals(name))}" if failed else cell


def _decimals(metric: str) -> int:
    return 2 if metric.endswith("_mm") else 3


def _number(value: float | None, decimals: int = 1) -> str:
    return _NONE if value is None else f"{value:.{decimals}f}"
