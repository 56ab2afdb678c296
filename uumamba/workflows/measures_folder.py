"""The folder that measures are written into, and that nothing else is lost in it."""

import csv
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError

COLUMNS = ("case", "kind", "structure", "status")
"""The first columns of every table of measures."""


@dataclass(frozen=True)
class MeasuresFolder:
    """`measures.csv`, `run.json`, and `<case>.json` and `<case>.png` of each mask."""

    path: Path

    @property
    def table(self) -> Path:
        """One row for each mask and structure."""
        return self.path / "measures.csv"

    @property
    def record(self) -> Path:
        """With what it was done."""
        return self.path / "run.json"

    def document(self, case: str) -> Path:
        """All that was measured in a mask."""
        return self.path / f"{case}.json"

    def picture(self, case: str) -> Path:
        """What it looks like."""
        return self.path / f"{case}.png"

    def begin(self, cases: tuple[str, ...], *, overwrite: bool) -> None:
        """Make room for cases: with `overwrite` all files of earlier measures are removed.

        Raises `InputError` if the path is a file, if there are measures already and no `overwrite`, or if a file that
        is not of measures would be replaced.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: is a file; give a folder as --output")
        if reserved := [case for case in cases if self.document(case) == self.record]:
            raise InputError(f"the mask {reserved[0]}: {self.record.name} is the record of all; rename the mask")
        earlier = self._earlier_cases()
        if earlier is not None and not overwrite:
            raise InputError(
                f"--output {self.path}: holds measures already; --overwrite replaces them, or give another folder"
            )
        own = {path for case in earlier or () for path in (self.document(case), self.picture(case))}
        own |= set() if earlier is None else {self.table, self.record}
        wanted = [
            self.table,
            self.record,
            *(path for case in cases for path in (self.document(case), self.picture(case))),
        ]
        taken = [path for path in wanted if path.exists() and path not in own]
        if taken:
            raise InputError(f"{taken[0]}: is there already and not of measures; give another --output, or move it")
        for path in own:
            path.unlink(missing_ok=True)

    def _earlier_cases(self) -> tuple[str, ...] | None:
        """The cases of the table that is there; None if there is none of measures."""
        if not self.table.is_file():
            return None
        with self.table.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ())[: len(COLUMNS)] != COLUMNS:
                return None
            return tuple(dict.fromkeys(row["case"] for row in reader))
