"""The workbook with ImageCAS's official splits: sheet `v2-latest`, a case a row, a split a column."""

import re
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

from uumamba.data.problem import ProblemError

SHEET = "v2-latest"
PARTS = ("training", "validation", "test")

_COLUMN = re.compile(r"split[-_ ]?\d+", re.ASCII | re.IGNORECASE)
_HEADER_ROWS = 5
_ADVICE = "take the workbook of ImageCAS's Kaggle page again"


def read_split_sheet(path: Path) -> dict[str, tuple[str, ...]]:
    """Case -> its part ("training", "validation" or "test") in each split, in the order of the columns.

    The header is the first row that names a split; in the published workbook it is the second. Raises `ProblemError`
    for a workbook that cannot be read, and for what is not as published in it.
    """
    rows = _rows(path)
    for place, row in enumerate(rows[:_HEADER_ROWS]):
        columns = [column for column, cell in enumerate(row) if _COLUMN.fullmatch(str(cell or "").strip())]
        if columns:
            return _read_rows(path, rows[place + 1 :], columns, first=place + 2)
    raise ProblemError(path, f"sheet {SHEET} has no header with Split-1, Split-2 ...", _ADVICE)


def _rows(path: Path) -> list[tuple[object, ...]]:
    from openpyxl import load_workbook  # not for all who train: a training node need not have it
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
        if SHEET not in book.sheetnames:
            has = ", ".join(book.sheetnames)
            raise ProblemError(path, f"has no sheet {SHEET}, which holds the splits, but {has}", _ADVICE)
        rows: list[tuple[object, ...]] = list(book[SHEET].iter_rows(values_only=True))
        book.close()
    except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as error:
        raise ProblemError(path, f"cannot be read as a workbook ({error})", _ADVICE) from None
    return rows


def _read_rows(
    path: Path, rows: Sequence[tuple[object, ...]], columns: Sequence[int], *, first: int
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line, row in enumerate(rows, first):
        if all(cell is None for cell in row):
            continue
        name = re.match(r"0*([1-9]\d*)", str(row[0] or "").strip(), re.ASCII)
        if name is None:
            raise ProblemError(path, f"row {line} of {SHEET} begins with {row[0]!r}, not a case's number", _ADVICE)
        if name[1] in found:
            raise ProblemError(path, f"row {line} of {SHEET}: case {name[1]} is there already", _ADVICE)
        found[name[1]] = tuple(_part(path, line, row[column]) for column in columns)
    if not found:
        raise ProblemError(path, f"sheet {SHEET} lists no case", _ADVICE)
    return found


def _part(path: Path, line: int, cell: object) -> str:
    text = str(cell or "").strip().casefold()
    for part in PARTS:
        if text and (text.startswith(part[:4]) or part.startswith(text)):
            return part
    raise ProblemError(path, f"row {line} of {SHEET}: {cell!r} is neither Training nor Val nor Testing", _ADVICE)
