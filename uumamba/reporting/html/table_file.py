"""A table that this program wrote as CSV, read again as texts."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class TableFile:
    """The columns' names in their order, and the rows by column; an empty text is no value."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_table(path: Path, *, required: Sequence[str]) -> TableFile:
    """Read a CSV file whatever columns it has beyond the `required` ones.

    Raises `InputError` if one of these is missing, a row has more or fewer cells than columns, or it is no text.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns, rows = tuple(reader.fieldnames or ()), []
            if missing := [name for name in required if name not in columns]:
                raise InputError(f"{path}: the column {missing[0]} is missing; the file is broken: write it again")
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(f"{path}: line {reader.line_num}: not as many cells as columns; write it again")
                rows.append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table ({error}); write it again") from None
    return TableFile(columns, tuple(rows))
