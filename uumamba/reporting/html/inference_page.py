"""The page of a folder that `uumamba infer` wrote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.reporting.html.case_table import case_table
from uumamba.reporting.html.folder_pictures import other_pictures
from uumamba.reporting.html.page import Block, Note, Page, Section, Tile
from uumamba.reporting.html.records import facts_of, record_section
from uumamba.reporting.html.table_file import TableFile, read_table

CASES = "cases.csv"
REVIEW = "review.csv"
_RECORD = "run.json"
_HASH = "_sha256"
_MARKS = {"failed": "bad", "flagged": "warn", "ok": ""}


def inference_page(folder: Path, *, overlays: Sequence[Block] = ()) -> Page:
    """All that lies in the folder; only a table of cases must be there, or those of the jobs of an array.

    `overlays` are pictures of cases to look at first. Raises `InputError` if a table cannot be read.
    """
    cases = read_cases(folder)
    records = [folder / _RECORD, *sorted(folder.glob("run_*_of_*.json"))]
    record: Mapping[str, Any] = next((read_json(path) for path in records if path.is_file()), {})
    troubled = TableFile(cases.columns, tuple(row for row in cases.rows if row["status"] in ("failed", "flagged")))
    skip = [name for name in cases.columns if name.endswith(_HASH) or name == "output"]
    # Next to why a case is doubted, the confidence of each structure, the file and the time only take room.
    more = [name for name in cases.columns if name.startswith("confidence_") and name != "confidence_lowest"]
    title = "Cases that failed, or that the program doubts, and why."
    sections = (
        Section(
            "Failed and flagged cases",
            "failed",
            _some_cases(troubled, title, [*skip, *more, "repairs", "input", "seconds"]),
        ),
        Section("Order of review", "review", _review(folder / REVIEW)),
        Section("Look at these first", "overlays", tuple(overlays)),
        other_pictures(folder, known=()),
        Section(
            "Every case", "cases", _some_cases(cases, "Every case; failed and flagged ones are highlighted.", skip)
        ),
        record_section(record, title="Record", anchor="record", skip=("notice", "cases")),
    )
    return Page(
        title="Predictions",
        subtitle=folder.resolve().name,
        tiles=_tiles(cases.rows),
        facts=facts_of(record, _models(record)),
        sections=sections,
    )


def tables_of_cases(folder: Path) -> tuple[Path, ...]:
    """`cases.csv`, and `cases_<i>_of_<n>.csv` of the jobs of an array; none if nothing was predicted there."""
    return tuple(path for path in (folder / CASES, *sorted(folder.glob("cases_*_of_*.csv"))) if path.is_file())


def read_cases(folder: Path) -> TableFile:
    """The rows of all these tables; `InputError` if there is no row, or if one is broken."""
    tables = [read_table(path, required=("case", "status")) for path in tables_of_cases(folder)]
    columns = tuple(dict.fromkeys(name for table in tables for name in table.columns))
    # The whole batch's own table comes first; a case that it has is told by it and not by its shard's table.
    rows: dict[str, dict[str, str]] = {}
    for table in tables:
        for row in table.rows:
            rows.setdefault(row["case"], dict.fromkeys(columns, "") | row)
    if not rows:
        raise InputError(f"{folder / CASES}: holds no case; predict again")
    return TableFile(columns, tuple(rows.values()))


def cases_to_look_at(folder: Path, count: int) -> tuple[dict[str, str], ...]:
    """The rows of `cases.csv` of at most `count` cases with a label map: by `review.csv`, else the flagged ones first.

    Each has at least `case`, `input` and `output`; a table without these columns gives none.
    """
    predicted = (row for row in read_cases(folder).rows if row["status"] != "failed")
    rows = {row["case"]: row for row in predicted if row.get("input") and row.get("output")}
    path = folder / REVIEW
    if path.is_file():
        order = [row["case"] for row in read_table(path, required=("case",)).rows]
    else:
        order = sorted(rows, key=lambda case: rows[case]["status"] != "flagged")
    return tuple(rows[case] for case in order if case in rows)[:count]


def _some_cases(table: TableFile, caption: str, skip: Sequence[str]) -> tuple[Block, ...]:
    return (case_table(table, caption=caption, skip=skip),) if table.rows else ()


def _review(path: Path) -> tuple[Block, ...]:
    if not path.is_file():
        return ()
    return (
        Note("The first case needs a human look the most."),
        case_table(read_table(path, required=("case",)), caption="Cases in the order in which to look at them."),
    )


def _tiles(rows: Sequence[Mapping[str, str]]) -> tuple[Tile, ...]:
    count = Counter(row["status"] for row in rows)
    statuses = dict.fromkeys([*("ok", "flagged", "failed"), *count])
    tiles = [Tile(status, str(count[status]), _mark(status, count[status])) for status in statuses]
    return (Tile("cases", str(len(rows))), *tiles)


def _mark(status: str, number: int) -> Any:
    return _MARKS.get(status, "") if number else ""


def _models(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    models = record.get("models")
    if not isinstance(models, Sequence):
        return []
    paths = [str(model["path"]) for model in models if isinstance(model, Mapping) and "path" in model]
    return [("model" if len(paths) == 1 else f"{len(paths)} models", ", ".join(paths))] if paths else []
