"""The folder that an evaluation is written into: which files there are its own, and what another one left there."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from uumamba.core.errors import InputError
from uumamba.core.files import read_json

SCHEMA = "uumamba-evaluation"
SCHEMA_VERSION = 1
DOCUMENT = "evaluation.json"
SCORES = "scores.csv"
REPORT = "report.html"
"""What `uumamba report` makes of an evaluation."""
OLD_SUMMARY = "summary.json"
"""Of evaluations before there was `evaluation.json`."""

_OWN = (
    DOCUMENT, SCORES, "groups.csv", "clinical.csv", "dice.png", "correlation.png", "bland_altman.png", "confidence.png",
    "overlay_worst.png", "overlay_second_worst.png", "overlay_middle.png", "overlay_best.png",
    REPORT, OLD_SUMMARY, "clinical.json", "agreement.png",
)  # fmt: skip
_SCORES_BEGIN = "case,structure,outcome,"


def require_room(folder: Path) -> None:
    """Raise `InputError` if an evaluation written into `folder` would replace files that are not one's."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give a folder as --output")
    own = [name for name in _OWN if (folder / name).exists()]
    if own and not _holds_evaluation(folder):
        raise InputError(f"{folder}: holds a {own[0]} that is not of an evaluation; give another --output, or move it")


def begin(folder: Path) -> None:
    """Take an earlier evaluation's document and page away: until another is written, the folder is not finished."""
    if (folder / DOCUMENT).is_file():
        (folder / REPORT).unlink(missing_ok=True)
        (folder / DOCUMENT).unlink()


def remove_stale(folder: Path, written: Iterable[Path]) -> tuple[Path, ...]:
    """Remove what an earlier evaluation left and this one did not write, and nothing else; return what was removed."""
    kept = {path.name for path in written}
    stale = tuple(folder / name for name in _OWN if name not in kept and (folder / name).is_file())
    for path in stale:
        path.unlink()
    return stale


def require_schema(content: Any, path: Path) -> None:
    """Raise `InputError` unless `content` is an evaluation's document that this version can read."""
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise InputError(f"{path}: not an evaluation of this program (no schema {SCHEMA}); evaluate again")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: has schema version {version}, this program reads {SCHEMA_VERSION}; evaluate again, or use the "
            "version that wrote it"
        )


def _holds_evaluation(folder: Path) -> bool:
    document, scores = folder / DOCUMENT, folder / SCORES
    if document.is_file():
        content = read_json(document)
        return isinstance(content, Mapping) and content.get("schema") == SCHEMA
    if not scores.is_file():
        return False
    with scores.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith(_SCORES_BEGIN)
