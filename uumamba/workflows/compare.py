"""uumamba compare: two results on the same cases, as tables, a picture and a sentence."""

from pathlib import Path

from uumamba.core.console import make_console
from uumamba.core.log import log
from uumamba.evaluation.comparison import Comparison, compare_results
from uumamba.evaluation.comparison_writing import comparison_table, settings_table, write_comparison
from uumamba.evaluation.paired import Pair, PairedSummary, case_means
from uumamba.evaluation.result import read_result
from uumamba.reporting.comparison import ComparedRow, comparison_figure
from uumamba.reporting.style import save_figure


def compare(run_a: Path, run_b: Path, output: Path) -> Comparison:
    """Compare two results, print the tables, and write tables and a picture into `output`.

    Each is a run's folder, a folder of folds, or an evaluation's. Raises `InputError` where they cannot be compared.
    """
    comparison = compare_results(read_result(run_a), read_result(run_b))
    tables = write_comparison(comparison, output)
    picture = output / "comparison.png"
    rows = [
        _row(summary, [pair for pair in comparison.pairs if pair.structure == summary.structure])
        for summary in comparison.structures
    ]
    overall = _row(comparison.overall, case_means(comparison.pairs))
    names = (comparison.a.name, comparison.b.name)
    save_figure(comparison_figure(rows, overall, names=names, title=f"A: {names[0]},  B: {names[1]}"), picture)
    show(comparison)
    log.info("%d tables and a picture in %s", len(tables), output)
    return comparison


def show(comparison: Comparison) -> None:
    """Print a comparison's tables, warnings and sentence."""
    console = make_console()
    console.print(comparison_table(comparison))
    if comparison.settings:
        console.print(settings_table(comparison))
    for warning in comparison.warnings:
        console.print(f"Note: {warning}.", markup=False, highlight=False)
    console.print(comparison.sentence, markup=False, highlight=False)
    console.print("Research use only.")


def _row(summary: PairedSummary, pairs: list[Pair] | tuple[Pair, ...]) -> ComparedRow:
    both = [(pair.a, pair.b) for pair in pairs if pair.a is not None and pair.b is not None]
    return ComparedRow(
        summary.structure,
        [a for a, _ in both],
        [b for _, b in both],
        summary.difference,
        summary.interval.low,
        summary.interval.high,
    )
