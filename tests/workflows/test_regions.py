"""Regions and sparse annotations from a data set's folder to its evaluation, by a real small training each."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import program
from tests.fakes.own_data import NAMES, SHAPE, write_nnunet
from tests.fakes.program import settings, uumamba
from uumamba.core.files import read_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.data.foreground import ANNOTATED
from uumamba.data.work_folder import WorkFolder
from uumamba.imaging.files import read_label_map, write_label_map
from uumamba.inference.bundle import read_bundle
from uumamba.training.history import read_history

LABELS = {"background": 0, "both": [1, 2], "two": 2}
LEARN = (
    "network.name=nnunet_plain",
    "training.epochs=2",
    "training.iterations=40",
    "optimizer.name=adamw",
    "optimizer.learning_rate=0.005",
    "plan.batch_size=4",
    "plan.base_features=8",
    "plan.max_features=16",
    "rule.name=plain",
)


def write_data(folder: Path, labels: dict[str, object]) -> Path:
    """Boxes as an nnU-Net folder in which the second box is also part of the first structure."""
    write_nnunet(folder)
    content = read_json(folder / "dataset.json") | {"labels": labels, "regions_class_order": [1, 2]}
    write_json(folder / "dataset.json", content)
    return folder


def leave_open(folder: Path, ignore: int) -> None:
    """Only every third slice along z stays annotated."""
    for path in sorted((folder / "labelsTr").iterdir()):
        labels = read_label_map(path)
        sparse = labels.data.copy()
        sparse[..., np.arange(SHAPE[2]) % 3 != 0] = ignore
        write_label_map(path, sparse, labels)


def train(data: Path, work: Path) -> Path:
    """Preprocess and train; the run's folder."""
    assert uumamba("preprocess", "--dataset", f"nnunet:{data}", "--work", work, *settings()) == 0
    assert uumamba("train", "--dataset", data.name, "--work", work, *settings(*LEARN)) == 0
    (run,) = (work / data.name / "runs").glob("*/fold_0")
    return run


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data, and the run of a network that has learned them."""
    root = tmp_path_factory.mktemp("regions")
    data = write_data(root / "boxes", dict(LABELS))
    return data, train(data, root / "work")


def test_regions_are_trained_and_validated(regions: tuple[Path, Path]) -> None:
    _, run = regions
    description = read_bundle(run).description
    assert description.labels == LabelSet(names=("background", "both", "two"), regions=((1, 2), (2,)), written=(1, 2))
    last = read_history(run / "history.csv")[-1]
    assert (last["dice_both"] or 0) > 0.8
    assert (last["dice_two"] or 0) > 0.8
    assert min(value or 0 for value in description.training.scores.values()) > 0.9
    assert description.training.scores.keys() == {"both", "two"}
    assert description.calibration.cases
    assert description.postprocessing.steps == ()
    assert "None: every step is made for structures of one number each" in description.model_card
    assert list((run / "overlays").glob("*.png"))
    assert description.fingerprint is not None
    assert description.fingerprint.structures["both"].volume_ml is not None
    assert description.fingerprint.structures["both"].volume_ml.low == pytest.approx(2 * 0.144, rel=0.2)


def test_regions_are_inferred_evaluated_and_exported(regions: tuple[Path, Path], tmp_path: Path) -> None:
    data, run = regions
    held_out = [row["case"] for row in csv.DictReader((run / "validation.csv").read_text().splitlines())]
    images = [data / "imagesTr" / f"{case}_0000.nii.gz" for case in held_out]
    for name in ("predictions", "again"):
        model = run if name == "predictions" else tmp_path / "imported.safetensors"
        more = ("--uncertainty",) if name == "predictions" else ()
        assert uumamba("infer", "--model", model, "--input", *images, "--output", tmp_path / name, *more) == 0
        if name == "predictions":
            assert uumamba("export", run, "--to", "nnunet", "--output", tmp_path / "exported") == 0
            assert uumamba("import", tmp_path / "exported", "--output", tmp_path / "imported.safetensors") == 0
    for case in held_out:
        first, second = (read_label_map(path).data for path in sorted(tmp_path.glob(f"*/{case}*[0-9].nii.gz")))
        assert set(np.unique(first)) == {0, 1, 2}
        np.testing.assert_array_equal(first, second)
    references = tmp_path / "references"
    references.mkdir()
    for case in held_out:
        (references / f"{case}_0000.nii.gz").write_bytes((data / "labelsTr" / f"{case}.nii.gz").read_bytes())
    folders = ("--predictions", tmp_path / "predictions", "--references", references, "--output", tmp_path / "out")
    assert uumamba("evaluate", *folders, "--labels", data / "dataset.json") == 0
    document = read_json(tmp_path / "out" / "evaluation.json")
    numbers = {each["name"]: each["reference_numbers"] for each in document["structures"]}
    assert numbers == {"both": [1, 2], "two": [2]}
    for case in document["cases"]:
        for score in case["scores"].values():
            assert score["metrics"]["dice"] > 0.9
            assert score["confidence"] == pytest.approx(score["metrics"]["dice"], abs=0.15)


def test_sparse_annotations_of_regions(tmp_path: Path) -> None:
    """What is ignored trains nothing, is measured nowhere, and no patch lies around it; the rest is learned."""
    data = write_data(tmp_path / "sparse", LABELS | {"ignore": 3})
    leave_open(data, 3)
    run = train(data, tmp_path / "work")
    description = read_bundle(run).description
    assert description.labels.ignore == 3
    assert description.fingerprint is not None
    assert (description.fingerprint.labelled, description.fingerprint.structures) == (0, {})
    assert min(value or 0 for value in description.training.scores.values()) > 0.9
    store = WorkFolder(tmp_path / "work" / "sparse").store("2d")
    assert store.cases() == NAMES
    for case in store.cases():
        (_, labels), places = store.read_case(case), store.foreground(case)
        assert places.keys() == {ANNOTATED, 1, 2}
        assert len(places[ANNOTATED]) == (labels != 3).sum() < labels.size / 2
        assert set(labels[0][tuple(places[1].T)]) == {1, 2}
    out = tmp_path / "out"
    images = [data / "imagesTr" / f"{name}_0000.nii.gz" for name in NAMES[:1]]
    assert uumamba("infer", "--model", run, "--input", *images, "--output", out) == 0
    (predicted,) = (read_label_map(path).data for path in out.glob("*.nii.gz"))
    truth = np.zeros(SHAPE, np.uint8)
    truth[2:6, 3:9, 3:9], truth[10:14, 3:9, 3:9] = 1, 2
    for numbers in ((1, 2), (2,)):  # in the slices too that nobody annotated
        ours, theirs = np.isin(predicted, numbers), np.isin(truth, numbers)
        assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) > 0.8


def test_labels_that_no_region_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "boxes", dict(LABELS))
    path = data / "labelsTr" / "case2.nii.gz"
    labels = read_label_map(path)
    write_label_map(path, np.where(labels.data == 2, 5, labels.data).astype(np.uint8), labels)
    assert program.uumamba("preprocess", "--dataset", f"nnunet:{data}", "--work", tmp_path / "w", *settings()) == 2
    assert "case2.nii.gz: labels must be 0 to 2 (1+2 both, 2 two), found also 5" in " ".join(
        capsys.readouterr().err.split()
    )
