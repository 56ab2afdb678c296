"""Tables as CSV files, and the note that goes with every number."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from uumamba.core.files import atomic

NOTE = "Research use only."
_DECIMALS = 6

Cell = str | float | None


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table atomically: numbers to six decimals, None as an empty cell."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([round(cell, _DECIMALS) if isinstance(cell, float) else cell for cell in row])
