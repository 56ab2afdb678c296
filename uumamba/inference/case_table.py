"""`cases.csv`: how each case of a batch ended, which a later batch resumes from."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uumamba.core.errors import InputError
from uumamba.core.files import write_text
from uumamba.inference.prediction import Flag
from uumamba.inference.review import BETWEEN_SENTENCES, ReviewItem

Status = Literal["ok", "flagged", "failed"]

COLUMNS = (
    "case", "status", "code", "reason", "input", "output", "seconds", "repairs", "confidence_lowest",
    "input_sha256", "settings_sha256", "output_sha256", "entropy_sha256", "disagreement_sha256",
)  # fmt: skip
"""The columns of `cases.csv`; `confidence_<structure>` follow, one for each structure."""

_CONFIDENCE = "confidence_"
_JOINT = "; "


@dataclass(frozen=True)
class CaseResult:
    """How one case ended: a row of `cases.csv`.

    `code` and `reason` are empty for `ok`, those of `failure.CODES` for `failed`, and those of the prediction's flags,
    joined, for `flagged`. `seconds` is the time spent on reading, predicting and writing. `repairs` are what reading
    repaired in the images' headers. `confidence` as in `Prediction`. The hashes are SHA-256: of the image's bytes (of
    the list of its images' hashes if there are several), of all that decides the results beside the image, and of the
    bytes of each file that was written, empty for a file that was not.
    """

    case: str
    status: Status
    code: str
    reason: str
    inputs: tuple[Path, ...]
    output: Path
    seconds: float
    repairs: tuple[str, ...]
    confidence: Mapping[str, float | None]
    input_sha256: str
    settings_sha256: str
    output_sha256: str
    entropy_sha256: str = ""
    disagreement_sha256: str = ""

    @property
    def lowest_confidence(self) -> float | None:
        """The lowest confidence of the structures that are in the label map; None without one."""
        return min((value for value in self.confidence.values() if value is not None), default=None)


class CaseTable:
    """A `cases.csv` that is whole after each new row; rows of other cases, from before, come after the new ones."""

    def __init__(self, path: Path, before: Mapping[str, CaseResult]) -> None:
        self._path = path
        self._before = dict(before)
        self._new: list[CaseResult] = []
        write_cases(path, self._before.values())

    def add(self, result: CaseResult) -> None:
        """Write the table with one more row, in place of the case's row from before."""
        self._new.append(result)
        self._before.pop(result.case, None)
        write_cases(self._path, (*self._new, *self._before.values()))


def review_item(result: CaseResult) -> ReviewItem:
    """What the review needs of a row."""
    if result.status == "failed":
        return ReviewItem(result.case, result.status, result.code, result.reason, result.confidence)
    codes = result.code.split(_JOINT) if result.code else []
    sentences = result.reason.split(BETWEEN_SENTENCES) if codes else []
    if len(sentences) != len(codes):  # a sentence holds what joins several
        sentences = [result.reason, *[""] * (len(codes) - 1)]
    flags = tuple(Flag(code, sentence) for code, sentence in zip(codes, sentences, strict=True))
    return ReviewItem(result.case, result.status, confidence=result.confidence, flags=flags)


def write_cases(path: Path, results: Iterable[CaseResult]) -> None:
    """Write `cases.csv`, atomically; what is several is joined by "; "."""
    results = tuple(results)
    structures = dict.fromkeys(name for result in results for name in result.confidence)
    text = io.StringIO()
    writer = csv.DictWriter(text, (*COLUMNS, *(_CONFIDENCE + name for name in structures)), lineterminator="\n")
    writer.writeheader()
    for result in results:
        writer.writerow(_row(result))
    write_text(path, text.getvalue())


def read_cases(path: Path) -> dict[str, CaseResult]:
    """The rows of a `cases.csv` by case; empty if there is no such table of this program.

    Raises `InputError` if a row was changed so that it can no longer be read.
    """
    results = {}
    for line, row in enumerate(_rows(path), 2):
        try:
            results[row["case"]] = _result(row)
        except (ValueError, TypeError, AttributeError):
            raise InputError(
                f"{path}: line {line} is not as this program wrote it; put the table away, or --overwrite the results"
            ) from None
    return results


def read_case_names(path: Path) -> tuple[str, ...]:
    """The cases of a `cases.csv`, whatever else is in their rows; empty if there is no such table of this program."""
    return tuple(row["case"] for row in _rows(path))


def is_case_table(path: Path) -> bool:
    """Whether a file is there and is a table of this program."""
    if not path.is_file():
        return False
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return tuple(next(csv.reader([file.readline()]), ()))[: len(COLUMNS)] == COLUMNS


def _rows(path: Path) -> list[dict[str, str]]:
    if not is_case_table(path):
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return list(csv.DictReader(file))


def _row(result: CaseResult) -> dict[str, str]:
    return {
        "case": result.case,
        "status": result.status,
        "code": result.code,
        "reason": result.reason,
        "input": _JOINT.join(map(str, result.inputs)),
        "output": str(result.output),
        "seconds": f"{result.seconds:.2f}",
        "repairs": _JOINT.join(result.repairs),
        "confidence_lowest": _number(result.lowest_confidence),
        "input_sha256": result.input_sha256,
        "settings_sha256": result.settings_sha256,
        "output_sha256": result.output_sha256,
        "entropy_sha256": result.entropy_sha256,
        "disagreement_sha256": result.disagreement_sha256,
        **{_CONFIDENCE + name: _number(value) for name, value in result.confidence.items()},
    }


def _result(row: Mapping[str, str]) -> CaseResult:
    status: Status = "ok" if row["status"] == "ok" else "flagged" if row["status"] == "flagged" else "failed"
    names = [column for column in row if column not in COLUMNS and column.startswith(_CONFIDENCE)]
    return CaseResult(
        case=row["case"],
        status=status,
        code=row["code"],
        reason=row["reason"],
        inputs=tuple(map(Path, _split(row["input"]))),
        output=Path(row["output"]),
        seconds=float(row["seconds"]),
        repairs=_split(row["repairs"]),
        confidence={name.removeprefix(_CONFIDENCE): float(row[name]) if row[name] else None for name in names},
        input_sha256=row["input_sha256"],
        settings_sha256=row["settings_sha256"],
        output_sha256=row["output_sha256"],
        entropy_sha256=row["entropy_sha256"],
        disagreement_sha256=row["disagreement_sha256"],
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(_JOINT)) if text else ()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
