"""An evaluation for the screen: tables to print and the remarks that belong below them."""

from rich.table import Table

from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.number_text import number_text, range_text
from uumamba.evaluation.summary import MetricSummary, OverallMean
from uumamba.measures import MEASURES
from uumamba.metrics import METRICS

_SHORT = ".1f"
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
        table.add_row(
            MEASURES[each.measure].title,
            str(found.n),
            str(len(each.unmeasured)),
            number_text(found.pearson, ".3f"),
            number_text(found.bias, _SHORT),
            number_text(found.sd, _SHORT),
            range_text(found.lower, found.upper, _SHORT),
            number_text(found.mean_absolute_error, _SHORT),
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
    spread = f" ± {number_text(summary.sd, _form(name))}" if summary.sd is not None else ""
    return _with_failures(name, number_text(summary.mean, _form(name)) + spread, summary.mean_with_failures, failed)


def _overall_cell(name: str, overall: OverallMean, failed: bool) -> str:
    return _with_failures(name, number_text(overall.mean, _form(name)), overall.mean_with_failures, failed)


def _with_failures(name: str, cell: str, mean: float | None, failed: bool) -> str:
    return f"{cell}\n{number_text(mean, _form(name))}" if failed else cell


def _form(metric: str) -> str:
    return ".2f" if metric.endswith("_mm") else ".3f"
