"""A CSV table as a table of the page: numbers aligned, what failed marked, a reason beside every empty value."""

from collections.abc import Callable, Collection, Sequence

from uumamba.reporting.html.cells import form_of, number_cell, number_of, text_cell, title_of
from uumamba.reporting.html.page import Cell, Column, Mark, Row, Table
from uumamba.reporting.html.table_file import TableFile

REASON = "reason"
_MARKS: dict[str, Mark] = {"failed": "bad", "missed": "warn", "false positive": "warn", "flagged": "warn"}


def mark_of(row: dict[str, str]) -> Mark:
    """How a row stands out, by its outcome (of a structure) or its status (of a case)."""
    return _MARKS.get(row.get("outcome") or row.get("status") or "", "")


def case_table(
    table: TableFile, *, caption: str, skip: Collection[str] = (), value_title: Callable[[str], str] = str
) -> Table:
    """All rows and all columns but those to `skip`, sortable; the reason comes last.

    A column is one of numbers if every cell that is not empty is a number. `value_title` puts texts of the column
    `measure` in words.
    """
    shown = [name for name in table.columns if name not in skip and name != REASON]
    numeric = {name for name in shown[1:] if _holds_numbers(name, table.rows)}
    columns = [Column(title_of(name), numeric=name in numeric) for name in shown]
    with_reason = REASON in table.columns
    if with_reason:
        columns.append(Column(REASON))
    rows = []
    for row in table.rows:
        cells = [_cell(name, row, numeric, value_title) for name in shown]
        rows.append(Row((*cells, text_cell(row[REASON])) if with_reason else tuple(cells), mark_of(row)))
    return Table(caption, tuple(columns), tuple(rows), sortable=True)


def _holds_numbers(name: str, rows: Sequence[dict[str, str]]) -> bool:
    texts = [row[name] for row in rows if row[name]]
    return bool(texts) and all(number_of(text) is not None for text in texts)


def _cell(name: str, row: dict[str, str], numeric: Collection[str], value_title: Callable[[str], str]) -> Cell:
    text = row[name]
    if name not in numeric:
        mark = mark_of(row) if name in ("outcome", "status") else ""
        return text_cell(value_title(text) if name == "measure" else text, mark=mark)
    value = number_of(text)
    if value is not None and text.lstrip("+-").isdecimal():
        return Cell(text, value)
    return number_cell(value, form_of(name))
