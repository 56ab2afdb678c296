"""Cases that a user lists in a CSV file."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uumamba.core.errors import InputError

TABLE_SUFFIX = ".csv"
_IMAGE, _CASE = "image", "case"


@dataclass(frozen=True)
class ListedCase:
    """A row: the images, one per channel, the case's name ("" without one), and all other columns that are filled."""

    images: tuple[Path, ...]
    case: str
    line: int
    details: dict[str, str] = field(default_factory=dict)


def read_input_table(path: Path, channels: Sequence[str]) -> tuple[ListedCase, ...]:
    """Read a table with a column `image`, or one `image_<channel>` for each of several channels of the model.

    An optional column `case` names the case. Paths are relative to the table's folder; whether there is a file shows
    when it is read, and an empty cell is no image. Columns are separated by commas or semicolons. Raises `InputError`
    for a table without these columns or without rows, and for a name that is no file's name.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save the table as CSV in UTF-8") from None
    lines = text.splitlines()
    separator = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    reader = csv.DictReader(lines, delimiter=separator)
    names = [name.strip() for name in reader.fieldnames or ()]
    columns = _image_columns(path, names, channels)
    reader.fieldnames = names
    cases = tuple(_listed(path, row, columns, reader.line_num) for row in reader if any(row.values()))
    if not cases:
        raise InputError(f"{path}: lists no case; give a row for each, with the image's path under {columns[0]}")
    return cases


def _image_columns(path: Path, names: Sequence[str], channels: Sequence[str]) -> tuple[str, ...]:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: has the column {', '.join(twice)} twice; rename one")
    wanted = tuple(f"{_IMAGE}_{channel}" for channel in channels)
    if all(name in names for name in wanted):
        return wanted
    if len(channels) == 1 and _IMAGE in names:
        return (_IMAGE,)
    needed = ", ".join(wanted) if len(channels) > 1 else _IMAGE
    raise InputError(
        f"{path}: needs the column {needed} with the images' paths (and may have {_CASE} and others); "
        f"it has {', '.join(names) or 'none'}"
    )


def _listed(path: Path, row: dict[str, str | None], columns: Sequence[str], line: int) -> ListedCase:
    values = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    case = values.get(_CASE, "")
    if case in (".", "..") or any(mark in case for mark in "/\\\0"):
        raise InputError(f"{path}: line {line}: the case {case!r} cannot name a file; leave out / and \\")
    return ListedCase(
        images=tuple(path.parent / values[name] for name in columns if values[name]),
        case=case,
        line=line,
        details={name: value for name, value in values.items() if name not in (*columns, _CASE) and value},
    )
