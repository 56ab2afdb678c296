"""The coronary phantom: two thin trees, and ImageCAS's tree of files."""

from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from scipy.ndimage import label

from tests.fakes.imagecas import TINY, write_fake
from uumamba.data.phantom_coronary import LEFT_TREE, RIGHT_TREE, draw_coronaries, render_coronaries
from uumamba.data.phantom_tubes import PhantomGrid
from uumamba.imaging.files import read_image, read_label_map

FINE = PhantomGrid((176, 176, 136), (1.02, 1.02, 1.01))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_trees_of_about_a_thousandth_of_the_volume(seed: int) -> None:
    labels, trees = draw_coronaries(FINE, np.random.default_rng(seed))
    assert label(labels, np.ones((3, 3, 3)))[1] == 2
    assert 0.0005 < labels.mean() < 0.0015
    lengths = [sum(tube.length_mm for tube in tree) for tree in trees]
    assert 300 < lengths[0] < 600
    assert 200 < lengths[1] < 450


def test_diameters_are_those_of_coronary_arteries() -> None:
    diameters = [width for branch in (*LEFT_TREE, *RIGHT_TREE) for width in branch.diameters_mm]
    assert (min(diameters), max(diameters)) == (1.5, 4.0)


def test_vessels_are_bright_and_thin_in_a_noisy_chest() -> None:
    image, labels = render_coronaries(FINE, np.random.default_rng(3))
    assert 150 < image[labels > 0].mean() < 450
    assert -1024 <= image.min() < -900
    lung = image[160:170, 35:50, 60:80]
    assert -900 < lung.mean() < -800
    assert 10 < lung.std() < 60


def test_the_tree_is_imagecas_own(tmp_path: Path) -> None:
    write_fake(tmp_path, numbers=(1, 2, 205))
    assert {path.name for path in tmp_path.iterdir()} == {"1-200", "201-400", "imageCAS_data_split.xlsx"}
    assert {path.name for path in (tmp_path / "201-400").iterdir()} == {"205.img.nii.gz", "205.label.nii.gz"}
    scan, labels = (
        read_image(tmp_path / "1-200" / "1.img.nii.gz"),
        read_label_map(tmp_path / "1-200" / "1.label.nii.gz"),
    )
    assert scan.shape == TINY.shape
    assert set(np.unique(labels.data)) == {0, 1}
    write_fake(tmp_path / "flat", numbers=(7,), shards=False)
    assert (tmp_path / "flat" / "7.img.nii.gz").is_file()


def test_the_sheet_tests_every_patient_once(tmp_path: Path) -> None:
    write_fake(tmp_path, numbers=range(1, 9))
    sheet = load_workbook(tmp_path / "imageCAS_data_split.xlsx")["v2-latest"]
    _, header, *rows = sheet.iter_rows(values_only=True)
    assert header == ("FileName", "Split-1", "Split-2", "Split-3", "Split-4")
    assert [row[0] for row in rows] == list(range(1, 9))
    assert all(row[1:].count("Testing") == 1 for row in rows)
    for column in zip(*rows, strict=True):
        assert set(column[1:]) <= {"Training", "Val", "Testing"} or column[0] == 1


def test_a_patient_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    write_fake(tmp_path / "one", numbers=(2,))
    write_fake(tmp_path / "two", numbers=(1, 2))
    name = Path("1-200/2.img.nii.gz")
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
