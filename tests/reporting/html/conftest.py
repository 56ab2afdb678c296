"""Folders as the commands leave them, small, with failures and with names that would break a careless page."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.core.files import write_json
from uumamba.core.labels import LabelSet
from uumamba.evaluation.document import Origin, Picture, write_document
from uumamba.evaluation.evaluate import evaluate_folders
from uumamba.evaluation.label_match import same_labels
from uumamba.evaluation.writing import write_tables
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image
from uumamba.reporting.style import new_figure, save_figure

NASTY_FILE = "<img src=x onerror=alert(1)>\"'&amp;"
"""A case's name as a file can have it."""
LABELS = LabelSet(names=("background", "RV", "<b>MYO</b>", "LV"))
CASES = {"p1_ED": ("p1", "ED"), "p1_ES": ("p1", "ES"), NASTY_FILE: (NASTY_FILE, "ED"), "p2_ES": (NASTY_FILE, "ES")}


def label_map(seed: int, *, without: int | None = None) -> np.ndarray:
    """Three nested boxes, a little different for each seed."""
    shift = seed % 3
    data = np.zeros((14, 13, 5), dtype=np.uint8)
    data[1:5, 2:8, 1:4] = 1
    data[5 : 11 - shift, 2:11, 1:4] = 2
    data[7 : 10 - shift, 4 : 9 - shift, 1:4] = 3
    if without is not None:
        data[data == without] = 0
    return data


def write_label_maps(predictions: Path, references: Path) -> None:
    """Of four cases one prediction lacks a structure and one is no image."""
    for seed, name in enumerate(CASES):
        like = Image(label_map(seed).astype(np.float32), np.diag([1.5, 1.5, 8.0, 1.0]))
        for folder in (predictions, references):
            folder.mkdir(exist_ok=True)
        write_label_map(references / f"{name}.nii.gz", label_map(seed), like)
        write_label_map(predictions / f"{name}.nii.gz", label_map(seed + 1, without=1 if seed == 0 else None), like)
    (predictions / "p2_ES.nii.gz").write_text("no image")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation's folder: a miss, a failed case, groups, clinical measures and an overlay."""
    root = tmp_path_factory.mktemp("evaluated")
    write_label_maps(root / "predictions", root / "references")
    table = root / "groups.csv"
    quoted = {name: '"' + name.replace('"', '""') + '"' for pair in CASES.items() for name in (pair[0], pair[1][0])}
    rows = [f"{quoted[case]},{quoted[patient]},{phase},<i>GE</i>" for case, (patient, phase) in CASES.items()]
    table.write_text("\n".join(["case,patient,phase,vendor", *rows]) + "\n")
    evaluation = evaluate_folders(
        root / "predictions", root / "references", same_labels(LABELS), groups=table, nsd_tolerance_mm=2.0
    )
    folder = root / "evaluation"
    write_tables(evaluation, folder)
    figure = new_figure(3.0, 2.0)
    figure.suptitle(f"{NASTY_FILE} (worst of 3), mean Dice 0.500")
    save_figure(figure, folder / "overlay_worst.png")
    picture = Picture(folder / "overlay_worst.png", "overlay", NASTY_FILE, "worst")
    origin = Origin(root / "predictions", root / "references", groups=table, time="2026-11-25T10:00:00+00:00")
    write_document(evaluation, folder, origin, [picture])
    return folder


@pytest.fixture
def predicted(tmp_path: Path) -> Path:
    """A folder of predictions as the tables tell it: one good case, one flagged, one failed."""
    folder = tmp_path / "predicted"
    folder.mkdir()
    (folder / "cases.csv").write_text(
        "case,status,code,reason,input,output,seconds,repairs,confidence_lowest,input_sha256,confidence_LV\n"
        "good,ok,,,in/good.nii.gz,out/good.nii.gz,1.25,,0.9000,abc,0.9000\n"
        "<script>x</script>,flagged,spacing,the spacing is unusual,in/x.nii.gz,out/x.nii.gz,2.50,,0.3000,def,0.3000\n"
        "broken,failed,unreadable,not an image,in/broken.nii.gz,out/broken.nii.gz,0.00,,,,\n"
        "empty,ok,,,in/empty.nii.gz,out/empty.nii.gz,1.00,,,aaa,\n"
    )
    (folder / "review.csv").write_text(
        "priority,case,status,code,lowest_confidence,structure,flags,sentences\n"
        "1,broken,failed,unreadable,,,,not an image\n"
        "2,<script>x</script>,flagged,spacing,0.3000,LV,spacing,the spacing is unusual\n"
        "3,good,ok,,0.9000,LV,,\n"
    )
    versions = {"python": "3.11.7", "uumamba": "0.1.0", "torch": "2.13.0"}
    models = [{"path": "model.safetensors", "sha256": "00"}]
    record = {"time": "2026-11-25T10:00:00+00:00", "versions": versions, "models": models, "precision": "fp32"}
    write_json(folder / "run.json", record)
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run's folder with two epochs, two held-out cases and pictures."""
    folder = tmp_path / "plain" / "fold_0"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,loss_training,dice_LV\n1,1.5,\n2,1.25,0.5\n")
    (folder / "validation.csv").write_text("case,RV,LV\n<b>one</b>,0.5,0.75\ntwo,,0.85\n")
    write_json(folder / "run.json", {"seed": 7, "split": {"training": [str(case) for case in range(20)]}})
    for name in ("curves.png", "reliability.png", "overlays/epoch_0001.png", "overlays/epoch_0002.png"):
        save_figure(new_figure(2.0, 1.0), folder / name)
    return folder
