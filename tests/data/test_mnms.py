"""M&Ms's adapter: two frames of a series are two cases, its own order of labels, and what its table says."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.mnms import write_fake
from uumamba.core.errors import InputError
from uumamba.data.case_reading import read_case_images, read_case_labels
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.mnms import MNMS, index
from uumamba.data.phantom_mnms import TABLE_NAME


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five labelled patients, one unlabelled, one to validate on, one to test."""
    root = tmp_path_factory.mktemp("mnms")
    write_fake(root)
    return root


@pytest.fixture
def root(tree: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(tree, tmp_path / "OpenDataset"))


def change_row(root: Path, **cells: str) -> str:
    """Change the first patient's row; gives the code."""
    with (root / TABLE_NAME).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {name.replace("_", " "): text for name, text in cells.items()}
    with (root / TABLE_NAME).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows[0]["External code"]


def message(root: Path) -> str:
    """What blocks."""
    with pytest.raises(InputError) as raised:
        index(root).require_usable()
    return str(raised.value)


def test_two_frames_of_each_labelled_patient(root: Path) -> None:
    listing = index(root)
    assert (len(listing.training), len(listing.test)) == (12, 2)
    assert len({case.patient for case in listing.training}) == 6
    for case in listing.cases:
        assert case.frames == (case.label_frame,)
        assert case.details["frame"] == case.label_frame + 1 if case.label_frame is not None else False
        assert case.name == f"{case.patient}_sa_frame{case.details['frame']:02d}"
        assert case.details["vendor"] in "ABCD"
        assert set(np.unique(read_case_labels(case).data)) == {0, 1, 2, 3}
        assert read_case_images(case)[0].data.ndim == 3
    assert [case.details["phase"] for case in listing.training[:2]] == ["ED", "ES"]


def test_labels_go_by_name_not_by_acdcs_numbers(root: Path) -> None:
    assert MNMS.description.labels.structures == {"LV": 1, "MYO": 2, "RV": 3}
    assert ACDC.description.labels.structures == {"RV": 1, "MYO": 2, "LV": 3}
    diastole, systole = (read_case_labels(case).data for case in index(root).training[:2])
    assert np.count_nonzero(systole == 1) < np.count_nonzero(diastole == 1)


def test_validation_is_the_official_fold(root: Path) -> None:
    folds = index(root).folds
    assert folds is not None
    assert (len(folds), len(folds[0].training), len(folds[0].validation)) == (1, 10, 2)
    shutil.rmtree(root / "Validation")
    assert index(root).folds is None


def test_the_folder_above_will_do(root: Path) -> None:
    assert index(root.parent).cases == index(root).cases


def test_references_of_the_test_split_may_be_withheld(root: Path) -> None:
    for path in (root / "Testing").rglob("*_gt.nii.gz"):
        path.unlink()
    assert {(case.label_map, case.label_frame) for case in index(root).test} == {(None, None)}
    next((root / "Training" / "Labeled").rglob("*_gt.nii.gz")).unlink()
    assert "_sa_gt.nii.gz: no such file, but a training case needs its reference" in message(root)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"ED": "first"}, "the table says that ED is frame 'first'; it must be a whole number from 0 on"),
        ({"ED": "0", "ES": "0"}, "the table says that ED and ES are both frame 0; they must differ"),
        ({"External_code": "B0B0B0"}, "is not in the table of patients, so its ED and ES are unknown; add its row"),
    ],
)
def test_what_is_wrong_with_a_row(root: Path, cells: dict[str, str], said: str) -> None:
    change_row(root, **cells)
    assert message(root).endswith(said)


def test_a_size_that_is_not_known_is_none(root: Path) -> None:
    code = change_row(root, Height="", Weight="n/a")
    case = next(case for case in index(root).training if case.patient == code)
    assert (case.details["height_cm"], case.details["weight_kg"]) == (None, None)


def test_tables_that_will_not_do(root: Path) -> None:
    text = (root / TABLE_NAME).read_text()
    (root / TABLE_NAME).write_text(text.replace(",ES,", ",End,"))
    assert "has no column ES; take M&Ms's own again" in message(root)
    (root / TABLE_NAME).write_text(text.replace(",ES,", ",ED,"))
    assert f"{TABLE_NAME}: has the column ED twice; rename one; take M&Ms's own again" in message(root)
    (root / TABLE_NAME).unlink()
    assert "no table (*.csv) with the column External code here" in message(root)


def test_no_series_here(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "Training" / "Labeled")
    assert "Training: no labelled series (A0S9V9_sa.nii.gz) here; give the folder" in message(root)
    assert "no folder Training of M&Ms here" in message(tmp_path / "OpenDataset" / "Testing")
