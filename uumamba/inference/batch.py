"""Many images into one folder of label maps, where one bad file does not end the batch."""

import csv
import io
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from uumamba.core.errors import SomeCasesFailed, UumambaError
from uumamba.core.files import hash_file, write_text
from uumamba.core.log import log
from uumamba.imaging.files import image_stem, read_image, write_label_map
from uumamba.inference.inputs import CASES_NAME, COLUMNS, find_inputs, output_path
from uumamba.inference.predictor import Predictor

_OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)
_CASE_ERRORS = (UumambaError, OSError, MemoryError, RuntimeError, ValueError, ArithmeticError, LookupError, EOFError)


@dataclass(frozen=True)
class CaseResult:
    """How one image ended: a row of `cases.csv`.

    `seconds` is the wall-clock time of reading, predicting and writing. `repairs` are what reading repaired in the
    image's header. The hashes are SHA-256 of the image's bytes and of the predictor (`Predictor.sha256`).
    """

    case: str
    input: Path
    output: Path
    status: Literal["ok", "failed"]
    reason: str
    seconds: float
    repairs: tuple[str, ...]
    input_sha256: str
    model_sha256: str


def predict_files(
    predictor: Predictor,
    inputs: Sequence[Path],
    output: Path,
    *,
    only: Collection[str] | None = None,
    resume: bool = False,
    on_case: Callable[[CaseResult, int, int], None] | None = None,
) -> tuple[CaseResult, ...]:
    """Write `<image stem>.nii.gz`, a uint8 label map on the image's own grid, for every image, and `cases.csv`.

    `inputs` are files and folders (`find_inputs` says what is taken of a folder, and what `only` keeps). Label maps
    that are there already are replaced; with `resume` a case is kept if its row says ok, its label map is there, and
    image and predictor have the hashes of that row; the table then keeps the rows of other cases. `cases.csv` is
    written anew after each case, so a stopped batch can be resumed. `on_case` gets each result, its position from 1 and
    the number of cases.

    Raises `InputError` before any work if the inputs cannot be used, and at the end `SomeCasesFailed` if a case failed:
    its row tells the reason, an older label map of it is removed, and all other cases are done.
    """
    found = find_inputs(inputs, output, only=only)
    for path, reason in found.left_out:
        log.debug("%s: left out, %s", path, reason)
    if found.left_out:
        reasons = sorted({reason for _, reason in found.left_out})
        log.info("%d files left out: %s", len(found.left_out), ", ".join(reasons))
    table = output / CASES_NAME
    rows = read_cases(table) if resume else {}
    results: list[CaseResult] = []
    for position, image in enumerate(found.images, 1):
        result = _predict_file(predictor, image, output_path(image, output), before=rows.get(image_stem(image)))
        results.append(result)
        rows[result.case] = result
        write_cases(table, tuple(rows.values()))
        if on_case is not None:
            on_case(result, position, len(found.images))
    _raise_if_failed(results, output)
    return tuple(results)


def write_cases(path: Path, results: Sequence[CaseResult]) -> None:
    """Write `cases.csv`; repairs are joined by "; "."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results:
        writer.writerow(asdict(result) | {"seconds": f"{result.seconds:.2f}", "repairs": "; ".join(result.repairs)})
    write_text(path, text.getvalue())


def read_cases(path: Path) -> dict[str, CaseResult]:
    """The rows of a `cases.csv` by case; empty if the file is not there or has other columns."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader) if tuple(reader.fieldnames or ()) == COLUMNS else []
    return {
        row["case"]: CaseResult(
            case=row["case"],
            input=Path(row["input"]),
            output=Path(row["output"]),
            status="ok" if row["status"] == "ok" else "failed",
            reason=row["reason"],
            seconds=float(row["seconds"]),
            repairs=tuple(row["repairs"].split("; ")) if row["repairs"] else (),
            input_sha256=row["input_sha256"],
            model_sha256=row["model_sha256"],
        )
        for row in rows
    }


def _predict_file(predictor: Predictor, path: Path, target: Path, *, before: CaseResult | None) -> CaseResult:
    """Predict one image, unless `before`, its row of an earlier batch, is as good."""
    start = time.perf_counter()
    repairs: tuple[str, ...] = ()
    digest = reason = ""
    try:
        digest = hash_file(path)
        if before is not None and target.is_file() and _is_same_work(before, digest, predictor.sha256):
            return replace(before, input=path, output=target)
        image = read_image(path)
        repairs = image.repairs
        write_label_map(target, predictor.predict([image]).labels, image)
    except _CASE_ERRORS as error:
        log.debug("%s failed", path, exc_info=True)
        reason = _one_line(error)
        target.unlink(missing_ok=True)
        if predictor.device.type == "cuda":
            torch.cuda.empty_cache()
    return CaseResult(
        case=image_stem(path),
        input=path,
        output=target,
        status="failed" if reason else "ok",
        reason=reason,
        seconds=time.perf_counter() - start,
        repairs=repairs,
        input_sha256=digest,
        model_sha256=predictor.sha256,
    )


def _is_same_work(before: CaseResult, input_sha256: str, model_sha256: str) -> bool:
    return (before.status, before.input_sha256, before.model_sha256) == ("ok", input_sha256, model_sha256)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, _OUT_OF_MEMORY) or "allocate memory" in text:
        return f"out of memory ({text}); use --device cpu, or a machine with more memory"
    return text if isinstance(error, UumambaError) else f"{type(error).__name__}: {text}"


def _raise_if_failed(results: Sequence[CaseResult], output: Path) -> None:
    failed = [result for result in results if result.status == "failed"]
    if failed:
        named = "; ".join(f"{result.case} ({result.reason})" for result in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise SomeCasesFailed(
            f"{len(failed)} of {len(results)} cases failed, the others are done: {named}{more}; "
            f"see {output / CASES_NAME}"
        )
