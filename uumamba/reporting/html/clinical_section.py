"""The heart's function over patients: agreement of every measure, its plots, and every patient."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.measures import MEASURES
from uumamba.reporting.html.agreement_plot import Pair, agreement_plot
from uumamba.reporting.html.case_table import case_table
from uumamba.reporting.html.cells import number_cell, number_of, title_of
from uumamba.reporting.html.page import Block, Cell, Column, Plot, Plots, Row, Section, Table
from uumamba.reporting.html.table_file import read_table

_NUMBERS = {
    "bias": ("bias", "+.1f"),
    "sd": ("sd of differences", ".1f"),
    "mean_absolute_error": ("mean abs. error", ".1f"),
}
_NOT_ENOUGH = "too few patients"


def clinical_sections(folder: Path) -> tuple[Section, ...]:
    """What `clinical.json` and `clinical.csv` say, as far as they are there."""
    summary, table = folder / "clinical.json", folder / "clinical.csv"
    blocks: list[Block] = [_agreement_table(summary)] if summary.is_file() else []
    every: tuple[Block, ...] = ()
    if table.is_file():
        found = read_table(table, required=("patient", "measure", "prediction", "reference"))
        blocks.append(_plots(found.rows))
        caption = "Every measure of every patient; a value that is missing has its reason."
        every = (case_table(found, caption=caption, value_title=title_of),)
    return (
        Section("Function of the heart", "function", tuple(blocks)),
        Section("Every patient", "patients", every),
    )


def _agreement_table(path: Path) -> Table:
    titles = ["n", "correlation", *(title for title, _ in _NUMBERS.values()), "95 % limits of agreement"]
    columns = (Column("measure"), *(Column(title, numeric=True) for title in titles), Column("patients left out"))
    try:
        rows = tuple(_agreement_row(each["measure"], each["agreement"], each["unmeasured"])
                     for each in read_json(path)["measures"])  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: not understood; evaluate again") from None
    return Table("Prediction minus reference over patients (Bland and Altman).", columns, rows)


def _agreement_row(measure: str, found: Mapping[str, Any], unmeasured: Mapping[str, str]) -> Row:
    n = int(found["n"])
    correlation = number_cell(found["pearson"], ".3f", detail=str(found.get("pearson_reason") or ""))
    numbers = [_number(found[key], form) for key, (_, form) in _NUMBERS.items()]
    lower, upper = found["lower"], found["upper"]
    limits = _number(None, "") if None in (lower, upper) else Cell(f"{lower:+.1f} to {upper:+.1f}", lower)
    left_out = "; ".join(f"{patient}: {reason}" for patient, reason in unmeasured.items())
    return Row((Cell(title_of(measure)), Cell(str(n), n), correlation, *numbers, limits, Cell(left_out)))


def _number(value: float | None, form: str) -> Cell:
    return number_cell(value, form, detail="" if value is not None else _NOT_ENOUGH)


def _plots(rows: Sequence[Mapping[str, str]]) -> Plots:
    plots = []
    for measure in dict.fromkeys(row["measure"] for row in rows):
        pairs = []
        for row in rows:
            prediction, reference = number_of(row["prediction"]), number_of(row["reference"])
            if row["measure"] == measure and prediction is not None and reference is not None:
                pairs.append(Pair(row["patient"], prediction, reference))
        if pairs:
            title = title_of(measure)
            plots.append(Plot(title, agreement_plot(pairs, title=MEASURES[measure].title if measure in MEASURES else title)))
    return Plots(tuple(plots))
