"""Volumes of full size through every command: seconds and peak memory of each, each in a process of its own.

    python benchmarks/large.py [--sets acdc imagecas aorta] [--folder FOLDER] -o OUT

writes OUT/large.json. The data are phantoms of the data sets' largest scans, two cases each on slightly different
grids, so that all are resampled. The networks are those of `configs/*-small.yaml`, after one training step: their label
maps mean nothing, so what is evaluated is the reference moved by one voxel. Some 15 minutes on two free cores.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import machine_record
from rich.table import Table

from uumamba.core.console import make_console
from uumamba.core.files import write_json
from uumamba.data.datasets.table import find_dataset
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.phantom_aorta import FULL_AORTA, SMALL_AORTA, write_phantom_aorta
from uumamba.data.phantom_coronary import FULL_IMAGECAS, SMALL_IMAGECAS, write_phantom_imagecas
from uumamba.data.phantom_tubes import PhantomGrid
from uumamba.imaging.files import read_label_map, write_label_map

_CONFIGS = Path(__file__).parents[1] / "configs"
_PROGRAM = (sys.executable, "-c", "from uumamba.cli.app import main; main()")
_FINER = 0.95
_TRAINING = {
    "planning.folds": 2,
    "training.epochs": 1,
    "training.iterations": 1,
    "training.validation_iterations": 1,
    "hardware.processes": 1,
    "hardware.fit": "false",
}


@dataclass(frozen=True)
class Phantom:
    """Writes two cases of a data set to a folder, small ones if `quick`."""

    dataset: str
    write: Callable[[Path, bool], None]


def _write_acdc(root: Path, quick: bool) -> None:
    size = PhantomSize() if quick else PhantomSize(voxels=512, spacing_mm=0.7, slice_spacing_mm=4.8)
    write_phantom_acdc(root, patients=2, size=size)


def _write_imagecas(root: Path, quick: bool) -> None:
    for number, grid in enumerate(_grids(SMALL_IMAGECAS if quick else FULL_IMAGECAS), start=1):
        write_phantom_imagecas(root, numbers=(number,), grid=grid)
    (root / "imageCAS_data_split.xlsx").unlink()  # it is that of the last case alone


def _write_aorta(root: Path, quick: bool) -> None:
    for number, grid in enumerate(_grids(SMALL_AORTA if quick else FULL_AORTA), start=1):
        write_phantom_aorta(root, numbers=(number,), grid=grid)


def _grids(grid: PhantomGrid) -> tuple[PhantomGrid, PhantomGrid]:
    x, y, z = grid.spacing_mm
    return grid, PhantomGrid(grid.shape, (_FINER * x, _FINER * y, _FINER * z))


PHANTOMS = tuple(
    Phantom(name, write)
    for name, write in (("acdc", _write_acdc), ("imagecas", _write_imagecas), ("aorta", _write_aorta))
)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = tuple(phantom.dataset for phantom in PHANTOMS)
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--folder", type=Path, help="where data and results stay; else a temporary one")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for large.json")
    parser.add_argument("--quick", action="store_true", help="small phantoms; the figures mean nothing")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    found = []
    for phantom in PHANTOMS:
        if phantom.dataset in options.sets:
            with tempfile.TemporaryDirectory() as temporary:
                found.append(measure(phantom, options.folder or Path(temporary), quick=options.quick))
            write_json(options.output / "large.json", {"machine": machine_record(torch.device("cpu")), "sets": found})
    make_console().print(table(found))


def measure(phantom: Phantom, folder: Path, *, quick: bool) -> dict[str, Any]:
    """Write a phantom unless it is there, and run every command on it."""
    name, data, work = phantom.dataset, folder / phantom.dataset / "data", folder / phantom.dataset / "work"
    if not data.is_dir():
        phantom.write(data.with_name("writing"), quick)
        data.with_name("writing").rename(data)
    for old in (work, folder / name / "predicted", folder / name / "moved", folder / name / "evaluated"):
        shutil.rmtree(old, ignore_errors=True)
    case = find_dataset(name).list_cases(data).training[0]
    predicted, moved = folder / name / "predicted", folder / name / "moved"
    shape = _move(case.files[-1], moved / f"{case.name}.nii.gz")
    settings = ("--config", _CONFIGS / f"{name}-small.yaml")
    settings += tuple(word for key, value in _TRAINING.items() for word in ("--set", f"{key}={value}"))
    common = ("--dataset", name, "--work", work)
    run = work / name / "runs" / "large" / "fold_all"
    steps: dict[str, Sequence[str | Path]] = {
        "preprocess": ("preprocess", *common, "--data", data, *settings),
        "train": ("train", *common, "--fold", "all", "--name", "large", *settings),
        "infer": ("infer", "--model", run, "--input", case.images[0], "--output", predicted, "--overlap", "0"),
        "evaluate": ("evaluate", "--dataset", name, "--predictions", moved, "--references", data, "--cases", case.name),
    }
    steps["evaluate"] = (*steps["evaluate"], "--output", folder / name / "evaluated")
    measured = {step: alone(words, folder / name / f"{step}.log") for step, words in steps.items()}
    return {
        "dataset": name,
        "shape": shape,
        "cases": len(find_dataset(name).list_cases(data).training),
        "steps": measured,
    }


def alone(words: Sequence[str | Path], log: Path) -> dict[str, float]:
    """One command in a process of its own: seconds, of a processor too, and the most memory that it held (GB).

    Of several processes it is the largest one's memory. Ends the program, with the command's last words, if it fails.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen([*_PROGRAM, *map(str, words)], stdout=file, stderr=file, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\n{log.read_text(encoding='utf-8')[-3000:]}")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
    }


def _move(reference: Path, target: Path) -> list[int]:
    """Write a reference moved by one voxel along each axis; gives its shape."""
    labels = read_label_map(reference)
    target.parent.mkdir(parents=True)
    write_label_map(target, np.roll(labels.data, (1, 1, 1), axis=(0, 1, 2)), like=labels)
    return list(labels.shape)


def table(found: Sequence[dict[str, Any]]) -> Table:
    """Every step of every data set, for the screen."""
    result = Table(title="one process each; preprocess: all cases, infer and evaluate: one")
    for header in ("data set", "voxels", "cases", "step", "seconds", "of a processor", "peak GB"):
        result.add_column(header, justify="left" if header in ("data set", "step") else "right")
    for each in found:
        for step, numbers in each["steps"].items():
            voxels = " x ".join(map(str, each["shape"]))
            result.add_row(
                each["dataset"], voxels, str(each["cases"]), step, *(f"{value:g}" for value in numbers.values())
            )
    return result


if __name__ == "__main__":
    main()
