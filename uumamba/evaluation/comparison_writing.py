"""A comparison as files, `comparison.json` and `comparison.csv`, and as tables for the screen."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from uumamba.core.files import write_json
from uumamba.evaluation.comparison import Comparison
from uumamba.evaluation.number_text import number_text, range_text
from uumamba.evaluation.paired import PairedSummary
from uumamba.evaluation.resampling import describe_method
from uumamba.evaluation.result import Result
from uumamba.evaluation.table import NOTE, write_csv

COLUMNS = ("case", "patient", "structure", "dice_a", "dice_b", "difference", "reason")
_SIGNED = "+.4f"
_LONGEST_VALUE = 60


def write_comparison(comparison: Comparison, folder: Path) -> tuple[Path, ...]:
    """Write both files into `folder`, made if need be, and return their paths."""
    written = (folder / "comparison.json", folder / "comparison.csv")
    write_json(written[0], _content(comparison))
    rows = ([p.case, p.patient, p.structure, p.a, p.b, p.difference, p.reason] for p in comparison.pairs)
    write_csv(written[1], COLUMNS, rows)
    return written


def comparison_table(comparison: Comparison) -> Table:
    """One row per structure and one over all: both means, the difference, its interval, the test, who is higher."""
    table = Table(title=f"Dice, B - A;  A: {comparison.a.name},  B: {comparison.b.name}")
    table.add_column("structure")
    for header in ("cases", "A", "B", "B - A", "95 % interval", "median", "A / B higher", "p", "p (Holm)"):
        table.add_column(header, justify="right")
    for each in comparison.structures:
        table.add_row(*_cells(each))
    table.add_section()
    table.add_row(*_cells(comparison.overall))
    return table


def settings_table(comparison: Comparison) -> Table:
    """One row per setting that differs."""
    table = Table(title="What differs between the two")
    for header in ("setting", "A", "B"):
        table.add_column(header, overflow="fold")
    for name, values in comparison.settings.items():
        table.add_row(name, *(str(value)[:_LONGEST_VALUE] for value in values))
    return table


def _cells(each: PairedSummary) -> list[str]:
    return [
        each.structure,
        str(each.cases),
        number_text(each.mean_a),
        number_text(each.mean_b),
        number_text(each.difference, _SIGNED),
        range_text(each.interval.low, each.interval.high, _SIGNED),
        number_text(each.median, _SIGNED),
        f"{each.a_higher} / {each.b_higher}",
        number_text(each.p, ".2g"),
        number_text(each.p_holm, ".2g"),
    ]


def _content(comparison: Comparison) -> dict[str, object]:
    return {
        "note": NOTE,
        "sentence": comparison.sentence,
        "warnings": list(comparison.warnings),
        "metric": "dice",
        "difference": "B - A",
        "a": _origin(comparison.a),
        "b": _origin(comparison.b),
        "interval": describe_method(),
        "test": "two-sided Wilcoxon signed-rank on patients' mean differences; p_holm over structures",
        "overall": asdict(comparison.overall),
        "structures": [asdict(each) for each in comparison.structures],
        "settings_that_differ": {name: {"a": a, "b": b} for name, (a, b) in comparison.settings.items()},
        "only_in_a": list(comparison.only_in_a),
        "only_in_b": list(comparison.only_in_b),
    }


def _origin(result: Result) -> dict[str, object]:
    records: Mapping[str, Mapping[str, object]] = result.records
    return {
        "path": str(result.path),
        "name": result.name,
        "cases": len(result.dice),
        "folds": list(records),
        "seeds": [record.get("seed") for record in records.values()],
    }
