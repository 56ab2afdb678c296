"""uumamba measure: label maps to lengths, diameters and volumes, with a picture of each."""

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.table import Table

from uumamba.core.console import make_console
from uumamba.core.errors import InputError, SomeCasesFailed
from uumamba.core.files import write_json
from uumamba.core.log import log
from uumamba.core.machine import describe_run, peak_memory_gb
from uumamba.core.progress import track
from uumamba.data.datasets.aorta import LABELS as AORTASEG24
from uumamba.evaluation.label_file import LARGEST_NUMBER, read_structure_numbers
from uumamba.evaluation.number_text import count_text
from uumamba.evaluation.table import NOTE, Cell, write_csv
from uumamba.imaging.files import LABEL_MARKS, find_images, image_stem, read_label_map, without_mark
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import to_canonical
from uumamba.inference.failure import Caught, failure_of
from uumamba.reporting.style import save_figure
from uumamba.workflows.measured_case import MeasuredCase, Names
from uumamba.workflows.measures_folder import COLUMNS, MeasuresFolder
from uumamba.workflows.ventricle_case import VENTRICLE_COLUMNS, measure_ventricles
from uumamba.workflows.vessel_case import VESSEL_COLUMNS, measure_vessels

Kind = Literal["aorta", "coronary", "ventricle"]
MOST_UNNAMED = 64
"""As many numbers as a label map may have without a file that names them; an image has more."""
_FEWEST_ZONES = 12
SCHEMA, SCHEMA_VERSION = "uumamba-measures", 1
_COLUMNS_OF: dict[Kind, tuple[str, ...]] = {
    "aorta": VESSEL_COLUMNS,
    "coronary": VESSEL_COLUMNS,
    "ventricle": VENTRICLE_COLUMNS,
}
_SHOWN: dict[Kind, dict[str, str]] = {
    "aorta": {
        "volume_in_view_ml": "in view, ml", "length_in_view_mm": "in view, mm", "max_diameter_mm": "max. diameter, mm",
        "max_diameter_at_mm": "at, mm", "min_equivalent_mm": "min. equivalent, mm", "broken_branches": "broken",
    },
    "coronary": {
        "volume_in_view_ml": "in view, ml", "length_in_view_mm": "in view, mm", "components": "components",
        "branches": "branches", "broken_branches": "broken", "max_diameter_mm": "max. diameter, mm",
    },
    "ventricle": {"volume_ml": "volume, ml", "volume_in_view_ml": "in the image, ml", "mass_g": "mass, g"},
}  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """What is asked for, for every mask alike."""

    kind: Kind
    names: Names | None
    folder: MeasuresFolder


def measure(
    masks: Sequence[Path], output: Path, *, kind: Kind, label_file: Path | None = None, overwrite: bool = False
) -> None:
    """Measure label maps, or all of a folder, and write a table, and a document and a picture of each, into `output`.

    `label_file` names the structures that are measured; without it all numbers of a vessel's label map are, and
    ventricles cannot be. Raises `SomeCasesFailed` at the end if masks could not be read or measured.
    """
    if kind == "ventricle" and label_file is None:
        raise InputError("--kind ventricle needs --labels FILE with the numbers of LV, MYO and RV; write `LV: 3`")
    names = None if label_file is None else read_structure_numbers(label_file)
    files = find_masks(masks)
    folder = MeasuresFolder(output)
    folder.begin(tuple(files), overwrite=overwrite)
    started, columns = time.perf_counter(), (*COLUMNS, *_COLUMNS_OF[kind], "reasons", "file")
    # If the run is stopped, the table says whose files lie there.
    begun = [{"case": case, "kind": kind, "status": "not reached", "file": str(path)} for case, path in files.items()]
    write_csv(folder.table, columns, _cells(begun, columns))
    rows: list[dict[str, Cell]] = []
    for case, path in track(files.items(), "measure", total=len(files)):
        rows += _rows_of(case, path, _Job(kind, names, folder))
    write_csv(folder.table, columns, _cells(rows, columns))
    device = torch.device("cpu")
    took = {"seconds": round(time.perf_counter() - started, 1), "peak_memory_gb": peak_memory_gb(device)}
    record = {"kind": kind, "labels": None if label_file is None else str(label_file), "notice": NOTE}
    write_json(
        folder.record,
        describe_run(device) | record | {"masks": {case: str(path) for case, path in files.items()}} | took,
    )
    _show(rows, kind)
    log.info("%s in %s, %.0f s", count_text(len(files), "mask"), folder.table, took["seconds"] or 0)
    _raise_if_failed(rows, len(files), folder)


def find_masks(given: Sequence[Path]) -> dict[str, Path]:
    """The label maps by case: files as they are, of a folder all with a label map's name or, without one, all images.

    Raises `InputError` if there is none, or if two have one name.
    """
    found: dict[str, Path] = {}
    for path in given:
        images = find_images(path) if path.is_dir() else [path]
        marked = [image for image in images if _is_marked(image)] if path.is_dir() else []
        for image in marked or images:
            if not image.exists():
                raise InputError(f"{image}: no such file or folder")
            case = without_mark(image_stem(image), LABEL_MARKS)
            if case in found and found[case] != image:
                raise InputError(f"{found[case]} and {image}: both are {case}; rename one, or measure them in two runs")
            found[case] = image
    if not found:
        raise InputError(f"{', '.join(map(str, given))}: holds no label map; NIfTI, NRRD and MetaImage are read")
    return found


def _is_marked(image: Path) -> bool:
    stem = image_stem(image)
    return without_mark(stem, LABEL_MARKS) != stem


def _rows_of(case: str, path: Path, job: _Job) -> list[dict[str, Cell]]:
    """Measure a mask, write what it gives, and return its rows: one that says why if it failed."""
    head: dict[str, Cell] = {"case": case, "kind": job.kind, "file": str(path)}
    with Caught() as caught:
        measured = _measure_file(case, path, job)
        return [head | dict(row) for row in measured.rows]
    error = caught.error if caught.error is not None else InputError("not measured")
    failure = failure_of(error, "reading")
    log.warning("%s failed: %s", case, failure.reason)
    log.debug("%s", "".join(traceback.format_exception(error)))
    return [head | {"structure": "", "status": "failed", "reasons": failure.reason}]


def _measure_file(case: str, path: Path, job: _Job) -> MeasuredCase:
    stored = read_label_map(path)
    image, _ = to_canonical(stored)
    names = job.names if job.names is not None else _numbered(image, job.kind)
    title = f"{case} ({job.kind})"
    if job.kind == "ventricle":
        measured = measure_ventricles(image, names, title=title)
    else:
        measured = measure_vessels(image, names, kind=job.kind, title=title)
    write_json(job.folder.document(case), _head(case, path, job.kind, image) | dict(measured.document))
    save_figure(measured.figure, job.folder.picture(case))
    return measured


def _numbered(image: Image, kind: Kind) -> Names:
    """Without a file of names: the kind for a mask of a single number, else each number by itself.

    An aorta with at least half of AortaSeg24's numbers and no other has its names.
    """
    if image.data.max() > LARGEST_NUMBER:
        raise InputError(f"its numbers go up to {image.data.max()}, at most {LARGEST_NUMBER} is a label; use --labels")
    found = (np.flatnonzero(np.bincount(image.data.ravel(), minlength=2)[1:]) + 1).tolist()
    if len(found) > MOST_UNNAMED:
        raise InputError(
            f"it has {len(found)} numbers, is it an image and not a label map? else name them with --labels"
        )
    if len(found) <= 1:
        return {kind: tuple(found) or (1,)}
    if kind == "aorta" and len(found) >= _FEWEST_ZONES and max(found) < AORTASEG24.classes:
        log.info("%d zones of 1 to %d: named as in AortaSeg24; --labels names others", len(found), max(found))
        return {name: (number,) for name, number in AORTASEG24.structures.items()}
    return {f"label {number}": (number,) for number in found}


def _head(case: str, path: Path, kind: Kind, image: Image) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "notice": NOTE,
        "case": case,
        "file": str(path),
        "kind": kind,
        "positions": "RAS, mm",
        "spacing_mm": [round(side, 6) for side in image.spacing_mm],
        "repairs": list(image.repairs),
    }


def _cells(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> list[list[Cell]]:
    return [[row.get(column) for column in columns] for row in rows]


def _show(rows: Sequence[Mapping[str, Cell]], kind: Kind) -> None:
    """Print the main columns."""
    table = Table(title="Measures")
    table.add_column("case")
    table.add_column("structure")
    for title in _SHOWN[kind].values():
        table.add_column(title, justify="right")
    for row in rows:
        values = [_text(row.get(name)) for name in _SHOWN[kind]]
        table.add_row(str(row["case"]), str(row["structure"] or "failed"), *values)
    console = make_console()
    console.print(table)
    for row in rows:
        if row.get("reasons"):
            console.print(f"{row['case']}: {row['reasons']}", markup=False, highlight=False)
    console.print(NOTE)


def _text(value: Cell) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _raise_if_failed(rows: Sequence[Mapping[str, Cell]], total: int, folder: MeasuresFolder) -> None:
    failed = [row for row in rows if row["status"] == "failed"]
    if failed:
        raise SomeCasesFailed(
            f"{len(failed)} of {count_text(total, 'mask')} failed, the first is {failed[0]['case']}: "
            f"{failed[0]['reasons']}; see {folder.table}"
        )
