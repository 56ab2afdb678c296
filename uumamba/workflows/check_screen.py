"""What a check found, on the screen: a table for each severity, problems of one cause together."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from uumamba.data.problem import SEVERITIES, Problem, Severity
from uumamba.workflows.check_result import CheckResult

MOST_ALIKE: dict[Severity, int] = {"blocks": 10, "warning": 10, "note": 1}
"""Of more problems of one cause only the first is shown, with their number; the files of --output have them all."""
_TITLES: dict[Severity, str] = {
    "blocks": "Blocking ({count}): preprocessing would refuse it, or results would be wrong",
    "warning": "Warnings ({count}): look at them",
    "note": "Notes ({count}): nothing needs to be done",
}
_PLURALS = ("blocking", "warnings", "notes")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


def tables(result: CheckResult) -> Iterator[Table | str]:
    """A table for each severity that was met, and a line for all."""
    for severity in SEVERITIES:
        problems = [problem for problem in result.problems if problem.severity == severity]
        if problems:
            base = result.data.parent if result.data.is_file() else result.data
            yield _table(severity, problems, base)
    counts = ", ".join(f"{name} {count}" for name, count in zip(_PLURALS, result.counts.values(), strict=True))
    yield f"{result.cases} cases in {escape(str(result.data))} checked in {result.seconds:.1f} s: {counts}"


def alike(problems: Sequence[Problem]) -> list[list[Problem]]:
    """Problems of one cause together: of one kind, and in the same words but for the numbers and files in them."""
    groups: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        groups[problem.kind, _NUMBER.sub("#", problem.what)].append(problem)
    return list(groups.values())


def _table(severity: Severity, problems: Sequence[Problem], data: Path) -> Table:
    table = Table(title=_TITLES[severity].format(count=len(problems)), title_justify="left", show_lines=False)
    for column in ("file", "what", "fix"):
        table.add_column(column, overflow="fold")
    for group in alike(problems):
        shown = group[: MOST_ALIKE[severity]]
        for problem in shown:
            what = problem.what.replace(f"{data}/", "")
            table.add_row(*map(escape, (_place(problem.file, data), what, problem.fix)))
        if len(group) > len(shown):
            table.add_row("", f"... and {len(group) - len(shown)} more of this cause", "")
    return table


def _place(file: Path, data: Path) -> str:
    """A file as seen from the folder that was checked, or that folder itself."""
    return str(file.relative_to(data)) if file != data and file.is_relative_to(data) else str(file)
