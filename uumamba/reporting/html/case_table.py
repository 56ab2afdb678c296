"""A CSV table as a table of the page: numbers aligned, what failed marked, a reason beside every empty value."""

from collections.abc import Callable, Collection, Sequence

from uumamba.reporting.html.cells import form_of, number_cell, number_of, text_cell, title_of
from uumamba.reporting.html.page import Cell, Column, Mark, Row, Table
from uumamba.reporting.html.table_file import TableFile

REASONS = ("reason", "sentences")
_NAMES = ("case", "patient")
_WHY_EMPTY = {"confidence": "no such structure found", "lowest_confidence": "no structure found"}
_MARKS: dict[str, Mark] = {"failed": "bad", "missed": "warn", "false positive": "warn", "flagged": "warn"}


def mark_of(row: dict[str, str]) -> Mark:
    """How a row stands out: by its outcome (of a structure) or status (of a case), else if it has a reason."""
    if state := row.get("outcome") or row.get("status"):
        return _MARKS.get(state, "")
    return "warn" if any(row.get(reason) for reason in REASONS) else ""


def case_table(
    table: TableFile, *, caption: str, skip: Collection[str] = (), value_title: Callable[[str], str] = str
) -> Table:
    """All rows and all columns but those to `skip`, sortable; the case comes first and the reason last.

    A column is one of numbers if every cell that is not empty is a number. `value_title` puts texts of the column
    `measure` in words.
    """
    shown = sorted((name for name in table.columns if name not in skip), key=_place)
    numeric = {name for name in shown if name not in _NAMES and _holds_numbers(name, table.rows)}
    columns = tuple(Column(title_of(name), numeric=name in numeric) for name in shown)
    rows = [Row(tuple(_cell(name, row, numeric, value_title) for name in shown), mark_of(row)) for row in table.rows]
    return Table(caption, columns, tuple(rows), sortable=True)


def _place(name: str) -> int:
    return 0 if name == "case" else 2 if name in REASONS else 1


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
    why = "" if any(row.get(reason) for reason in REASONS) else _why_empty(name)
    return number_cell(value, form_of(name), detail="" if value is not None else why)


def _why_empty(name: str) -> str:
    return _WHY_EMPTY.get(name, _WHY_EMPTY["confidence"] if name.startswith("confidence_") else "")
