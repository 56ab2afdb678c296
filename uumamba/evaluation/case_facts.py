"""What is known of the cases beside their images: from a data set, and from a user's table.

The table of `--groups` has a column `case` or `patient` (or both), and any columns beside: vendor, disease, centre.
With `case`, `patient` and a `phase` of ED or ES it also says which heart is measured when.
"""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.evaluation.number_text import count_text

_KEYS = ("case", "patient")
_ADVICE = "the first line names the columns: case or patient, then for example vendor,disease"
_SHOWN = 3


@dataclass(frozen=True)
class CaseFacts:
    """A case's patient, None if not known, and its `details`, such as vendor or disease; texts there make groups."""

    name: str
    patient: str | None
    details: Mapping[str, str | float | int | None]


def facts_of(cases: Iterable[Case], names: Iterable[str]) -> tuple[CaseFacts, ...]:
    """The facts of the cases called `names`, as far as `cases` knows them."""
    known = {case.name: case for case in cases}
    return tuple(
        CaseFacts(name, known[name].patient, known[name].details) if name in known else CaseFacts(name, None, {})
        for name in sorted(names)
    )


def add_table(facts: Sequence[CaseFacts], path: Path) -> tuple[CaseFacts, ...]:
    """Add the columns of a CSV table to the cases; rows of other cases or patients are left alone.

    Raises `InputError` for a table that is broken, that names no case here, or that contradicts the data set.
    """
    columns, rows = _read(path)
    key = "case" if "case" in columns else "patient"
    if key == "patient" and all(each.patient is None for each in facts):
        raise InputError(f"{path}: names patients, but it is not known which case is whose; add a column `case`")
    by_key = _by_key(path, key, rows)
    added = tuple(
        _with_row(path, each, by_key.get(each.name if key == "case" else str(each.patient))) for each in facts
    )
    known = {each.name if key == "case" else each.patient for each in facts}
    if not by_key.keys() & known:
        raise InputError(
            f"{path}: names none of the evaluated {key}s; it has {_some(by_key)}, evaluated are {_some(known)}"
        )
    return added


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [column.strip() for column in reader.fieldnames or []]
            reader.fieldnames = columns
            lines = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; --groups is a CSV table; {_ADVICE}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV table ({error})") from None
    _check_columns(path, columns)
    for line, row in lines:
        if None in row or None in row.values():
            raise InputError(f"{path}: line {line}: not {count_text(len(columns), 'cell')}, as the first line has")
    if not lines:
        raise InputError(f"{path}: has no row below its first line")
    return columns, [{column: (text or "").strip() for column, text in row.items()} for _, row in lines]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if not any(key in columns for key in _KEYS):
        raise InputError(f"{path}: has no column case or patient, only {', '.join(columns) or 'nothing'}; {_ADVICE}")
    if repeated := [column for column in columns if columns.count(column) > 1]:
        raise InputError(f"{path}: the column {repeated[0]} is there twice; rename one")
    if "" in columns:
        raise InputError(f"{path}: column {columns.index('') + 1} has no name; {_ADVICE}")
    if columns == ["case"] or columns == ["patient"]:
        raise InputError(f"{path}: has no column beside {columns[0]}, so it makes no groups; {_ADVICE}")


def _by_key(path: Path, key: str, rows: Sequence[dict[str, str]]) -> dict[str, dict[str, str]]:
    by_key: dict[str, dict[str, str]] = {}
    for row in rows:
        if not row[key]:
            raise InputError(f"{path}: a row has no {key}: {', '.join(row.values())}")
        if by_key.setdefault(row[key], row) != row:
            raise InputError(f"{path}: {row[key]} is there twice, with different values; keep one row")
    return by_key


def _with_row(path: Path, facts: CaseFacts, row: Mapping[str, str] | None) -> CaseFacts:
    if row is None:
        return facts
    patient = row.get("patient") or facts.patient
    if facts.patient is not None and patient != facts.patient:
        raise InputError(
            f"{path}: {facts.name} is of {patient} here, but of {facts.patient} in the data set; correct it"
        )
    details = {column: text for column, text in row.items() if column not in _KEYS}
    return replace(facts, patient=patient, details={**facts.details, **details})


def _some(names: Collection[str | None]) -> str:
    shown = sorted(str(name) for name in names)[:_SHOWN]
    return ", ".join(shown) + (", ..." if len(names) > _SHOWN else "")
