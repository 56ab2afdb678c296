"""What a check found, as files: `check.json` and, a line for each problem, `check.csv`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json
from uumamba.data.problem import SEVERITIES, Problem
from uumamba.evaluation.table import write_csv

SCHEMA = "uumamba-check"
SCHEMA_VERSION = 1
DOCUMENT, TABLE = "check.json", "check.csv"
COLUMNS = ("severity", "kind", "file", "what", "fix")


@dataclass(frozen=True)
class CheckResult:
    """A check: of which data set (None for a plain folder) and place, how many cases, how long, and what it found."""

    dataset: str | None
    data: Path
    cases: int
    seconds: float
    problems: tuple[Problem, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Severity -> number of problems."""
        return {severity: sum(problem.severity == severity for problem in self.problems) for severity in SEVERITIES}


def require_room(folder: Path) -> None:
    """Raise `InputError` if a check written into `folder` would replace files that are not one's."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder as --output")
    content = read_json(folder / DOCUMENT) if (folder / DOCUMENT).is_file() else None
    is_own = isinstance(content, Mapping) and content.get("schema") == SCHEMA
    present = [name for name in (DOCUMENT, TABLE) if (folder / name).exists()]
    if present and not is_own:
        raise InputError(f"{folder}: holds a {present[0]} that is not of a check; give another --output, or move it")


def write_check(folder: Path, result: CheckResult) -> tuple[Path, ...]:
    """Write both files and return their paths."""
    document, table = folder / DOCUMENT, folder / TABLE
    rows = [_row(problem) for problem in result.problems]
    write_csv(table, COLUMNS, [[row[column] for column in COLUMNS] for row in rows])
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "dataset": result.dataset, "data": str(result.data)}
    found = {"cases": result.cases, "seconds": round(result.seconds, 1), "counts": result.counts, "problems": rows}
    write_json(document, head | found)
    return document, table


def _row(problem: Problem) -> dict[str, str]:
    named = {"severity": problem.severity, "kind": problem.kind, "file": str(problem.file)}
    return named | {"what": problem.what, "fix": problem.fix}
