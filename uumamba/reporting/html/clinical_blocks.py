"""The heart's function over patients: agreement of every measure, its plots, and every patient."""

from collections.abc import Mapping, Sequence

from uumamba.reporting.html.agreement_plot import Pair, agreement_plot
from uumamba.reporting.html.cells import number_cell, number_of, title_of
from uumamba.reporting.html.evaluation_file import AgreementRow
from uumamba.reporting.html.page import Cell, Column, Plot, Plots, Row, Table

_NUMBERS = ("bias", "sd of differences", "mean abs. error")
_NOT_ENOUGH = "too few patients"


def agreement_table(measures: Sequence[AgreementRow]) -> Table:
    """A row per measure: bias, limits of agreement and correlation over patients, and who is left out."""
    titles = ("n", "correlation", *_NUMBERS, "95 % limits of agreement")
    columns = (Column("measure"), *(Column(title, numeric=True) for title in titles), Column("patients left out"))
    caption = "Prediction minus reference over patients (Bland and Altman). Every patient says why one is left out."
    return Table(caption, columns, tuple(_row(each) for each in measures))


def agreement_plots(rows: Sequence[Mapping[str, str]]) -> Plots:
    """Two plots for each measure that the rows of `clinical.csv` have on both sides, points telling their patient."""
    plots = []
    for measure in dict.fromkeys(row["measure"] for row in rows):
        pairs = []
        for row in rows:
            prediction, reference = number_of(row["prediction"]), number_of(row["reference"])
            if row["measure"] == measure and prediction is not None and reference is not None:
                pairs.append(Pair(row["patient"], prediction, reference))
        if pairs:
            plots.append(Plot(title_of(measure), agreement_plot(pairs, title=title_of(measure))))
    return Plots(tuple(plots))


def _row(each: AgreementRow) -> Row:
    numbers = [
        number_cell(each.pearson, ".3f", detail=each.pearson_reason or ""),
        _number(each.bias, "+.1f"),
        _number(each.sd, ".1f"),
        _number(each.mean_absolute_error, ".1f"),
    ]
    if each.lower is None or each.upper is None:
        limits = _number(None, "")
    else:
        limits = Cell(f"{each.lower:+.1f} to {each.upper:+.1f}", each.lower)
    left_out = f"{len(each.unmeasured)}: {', '.join(each.unmeasured)}" if each.unmeasured else ""
    return Row((Cell(title_of(each.measure)), Cell(str(each.n), each.n), *numbers, limits, Cell(left_out)))


def _number(value: float | None, form: str) -> Cell:
    return number_cell(value, form, detail="" if value is not None else _NOT_ENOUGH)
