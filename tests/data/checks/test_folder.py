"""A folder of images that is no data set."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.core.errors import InputError
from uumamba.data.checks.cases import CasesToCheck, all_problems
from uumamba.data.checks.folder import folder_cases, folder_problems
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image


def write(path: Path, *, shift_mm: float = 0.0, seed: int = 0) -> None:
    """A small image, or a label map if its name says so."""
    affine = np.eye(4)
    affine[0, 3] = shift_mm
    data = np.random.default_rng(seed).integers(0, 2, (4, 5, 6)).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    if "_gt" in path.name:
        write_label_map(path, data, like=Image(data, affine))
    else:
        write_image(path, Image(data.astype(np.float32), affine))


def kinds(folder: Path) -> list[tuple[str, str, str]]:
    """Severity, kind and file of every problem of a folder."""
    cases = folder_cases(folder)
    listed = CasesToCheck(folder, cases, problems=tuple(folder_problems(folder, cases)))
    problems = all_problems(listed, [listed.check_training(case) for case in cases])
    return [(problem.severity, problem.kind, problem.file.name) for problem in problems]


def test_images_with_their_label_maps_have_no_problem(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x.nii.gz")
    write(tmp_path / "a" / "x_gt.nii.gz")
    write(tmp_path / "b" / "x.nrrd", seed=1)
    cases = folder_cases(tmp_path)
    assert [(case.name, len(case.images), case.label_map is None) for case in cases] == [
        ("a/x", 1, False),
        ("b/x", 1, True),
    ]
    assert kinds(tmp_path) == []


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a.nii.gz")
    write(tmp_path / "a_gt.nii.gz", shift_mm=3)
    write(tmp_path / "again.nii.gz")
    write(tmp_path / "b_gt.nii.gz", seed=1)
    write_image(tmp_path / "series.nii.gz", Image(np.random.default_rng(1).normal(size=(3, 3, 3, 4)), np.eye(4)))
    (tmp_path / "old.hdr").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert kinds(tmp_path) == [
        ("blocks", "grid", "a_gt.nii.gz"),
        ("warning", "missing", "b_gt.nii.gz"),
        ("warning", "other_format", "old.hdr"),
        ("warning", "same_image", "again.nii.gz"),
        ("note", "series", "series.nii.gz"),
    ]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        folder_cases(tmp_path / "nowhere")
