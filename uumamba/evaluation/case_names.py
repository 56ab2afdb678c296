"""A hand-picked subset of the cases: `--cases a,b,c`, or a file of names."""

import csv
from pathlib import Path

from uumamba.core.errors import InputError


def read_case_names(text: str) -> tuple[str, ...]:
    """Names from `text`: separated by commas, or in the file that it names, one per line or in a CSV's column `case`.

    Repeated names count once. Raises `InputError` if there is no name, or no such file.
    """
    path = Path(text)
    if "," in text:
        names = [name.strip() for name in text.split(",")]
    elif path.is_file():
        names = _names_in(path)
    elif path.suffix.lower() in (".csv", ".txt") or len(path.parts) > 1:
        raise InputError(f"--cases {text}: no such file; give names separated by commas, or a file that is there")
    else:
        names = [text.strip()]
    found = tuple(dict.fromkeys(name for name in names if name))
    if not found:
        raise InputError(f"--cases {text}: names no case; give names separated by commas, or a file of names")
    return found


def _names_in(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--cases {path}: cannot be read as text ({error})") from None
    if path.suffix.lower() != ".csv":
        return [line.strip() for line in lines if not line.lstrip().startswith("#")]
    reader = csv.DictReader(lines, skipinitialspace=True)
    if "case" not in (reader.fieldnames or ()):
        raise InputError(
            f"--cases {path}: has no column `case`, only {', '.join(reader.fieldnames or ()) or 'nothing'}; name one so"
        )
    return [(row["case"] or "").strip() for row in reader]
