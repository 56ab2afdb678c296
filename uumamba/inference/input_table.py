"""Cases that a user lists in a CSV file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uumamba.core.csv_rows import read_csv
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
    table = read_csv(path)
    columns = _image_columns(path, table.columns, channels)
    cases = tuple(_listed(path, row, columns, line) for line, row in table.rows)
    if not cases:
        raise InputError(f"{path}: lists no case; give a row for each, with the image's path under {columns[0]}")
    return cases


def _image_columns(path: Path, names: Sequence[str], channels: Sequence[str]) -> tuple[str, ...]:
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


def _listed(path: Path, row: dict[str, str], columns: Sequence[str], line: int) -> ListedCase:
    case = row.get(_CASE, "")
    if case in (".", "..") or any(mark in case for mark in "/\\\0"):
        raise InputError(f"{path}: line {line}: the case {case!r} cannot name a file; leave out / and \\")
    return ListedCase(
        images=tuple(path.parent / row[name] for name in columns if row[name]),
        case=case,
        line=line,
        details={name: value for name, value in row.items() if name not in (*columns, _CASE) and value},
    )
