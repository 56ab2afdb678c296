"""The history of a run: one row of numbers an epoch, kept as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from uumamba.core.files import write_text

Row = dict[str, float | int | None]


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows atomically, with every row's columns in the order of their first appearance.

    An empty cell means no value.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[Row]:
    """Read what `write_history` wrote; every value comes back as a float or None."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) if value else None for key, value in row.items()} for row in csv.DictReader(file)]
