"""Tables that people write: CSV with a first line of column names."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class CsvTable:
    """Names of the columns, and for each row that is not empty its line in the file and its cells by column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]


def read_csv(path: Path) -> CsvTable:
    """Read a table in UTF-8, cells separated by commas or semicolons, without the blanks around them.

    A row may be short: what is missing is empty. Raises `InputError` if the file cannot be read, for a column that is
    there twice, and for a row with more cells than the first line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save the table as CSV in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); give a CSV table") from None
    lines = text.splitlines()
    separator = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    reader = csv.reader(lines, delimiter=separator)
    columns = tuple(name.strip() for name in next(reader, ()))
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise InputError(f"{path}: has the column {', '.join(twice)} twice; rename one")
    return CsvTable(columns, tuple(_rows(path, columns, reader)))


def _rows(path: Path, columns: tuple[str, ...], reader: Iterator[list[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, cells in enumerate(reader, start=2):
        values = [cell.strip() for cell in cells]
        if len(values) > len(columns) and any(values[len(columns) :]):
            raise InputError(f"{path}: line {number}: has more cells than the first line names columns; quote commas")
        if any(values):
            padded = values + [""] * (len(columns) - len(values))
            yield number, dict(zip(columns, padded, strict=False))
