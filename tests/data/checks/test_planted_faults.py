"""Every fault that is planted is named, once, and nothing else is."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.faulty import CT_FAULTS, FAULTS, TWO_CHANNEL_FAULTS, Fault, write_clean
from uumamba.data.checks.cases import CasesToCheck, all_problems
from uumamba.data.problem import KINDS, Problem

CHANNELS = {"MRI": ("MRI",), "CT": ("CT",), "two": ("T1", "T2")}
PLANTED = [
    *(pytest.param("MRI", name, fault, id=name) for name, fault in FAULTS.items()),
    *(pytest.param("CT", name, fault, id=name) for name, fault in CT_FAULTS.items()),
    *(pytest.param("two", name, fault, id=name) for name, fault in TWO_CHANNEL_FAULTS.items()),
]
SAYS = {
    "missing image": "no such file",
    "missing label map": "no such file",
    "no label map": "no reference label map",
    "cut file": "cut short",
    "cut label map": "cut short",
    "empty file": "the file is empty",
    "Git-LFS pointer": "a Git-LFS pointer, not the image itself",
    "text file": "not a NIfTI file",
    "2D": r"has 2 axes \(16 x 14\)",
    "4D": r"has 4 axes \(16 x 14 x 8 x 3\)",
    "5D": r"has 5 axes \(16 x 14 x 8 x 3 x 2\)",
    "NaN": "1792 of 1792 voxels are NaN",
    "shifted label map": "not on the grid of .*origins 7 mm apart",
    "unknown label": r"found also 4 \(156 voxels\), 8 \(12 voxels\)",
    "broken labels": "labels are not whole numbers, such as 0.7",
    "image of two patients": "the same image as .*case03_0000.nii.gz, but of patient patient07 and not patient03",
    "nothing labelled": "none of the 12 training cases has a labelled voxel",
    "patient in two folds": r"patient patient03 is on both sides of fold 0, 1 \(case03, case07\)",
    "patient in the test split": r"patient patient00 is in the training and in the test split \(case00, case11\)",
    "one name twice": "2 cases are named case03",
    "few patients": r"cases of 12 patient\(s\) are too few for 13 folds",
    "case twice": "the same image as .*case03_0000.nii.gz",
    "label map twice": "the same label map as .*case03.nii.gz, whose image is another",
    "empty label map": "no voxel of any structure is labelled",
    "rare structure": r"cavity \(label 2\) is in 3 of 12 label maps",
    "blank border": "[0-9]+ of 168 labelled voxels lie where the image is blank",
    "constant image": "every voxel is 1",
    "other scale": "its intensities go from .*the middle of all cases is",
    "other spacing": "its spacing is 15 x .* mm, in the middle of all cases 1.5 x",
    "other orientation": "its axes are stored as RPS, those of 11 of 12 cases as LPS",
    "untrue sform": "pixdim's spacing was used",
    "CT without intercept": "its lowest value is 24, but a CT has air or fat below -200 HU",
    "CT with two intercepts": "99 % of its values lie below -[0-9.]+ HU, which is no tissue",
    "shifted channel": "not on the grid of .*case03_0000.nii.gz.*origins 7 mm apart",
    "channel twice": "the same image as .*case03_0000.nii.gz",
}


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CasesToCheck]:
    """Clean data sets, which a test copies."""
    return {name: write_clean(tmp_path_factory.mktemp(name), *channels) for name, channels in CHANNELS.items()}


def copy(cases: CasesToCheck, root: Path) -> CasesToCheck:
    """The data set in another folder."""
    shutil.copytree(cases.place, root, dirs_exist_ok=True)
    training = tuple(
        replace(
            case,
            images=tuple(root / path.name for path in case.images),
            label_map=None if case.label_map is None else root / case.label_map.name,
        )
        for case in cases.training
    )
    return replace(cases, place=root, training=training)


def problems_of(cases: CasesToCheck) -> tuple[Problem, ...]:
    """All problems, found in this process."""
    return all_problems(
        cases, [cases.check_training(case) for case in cases.training], [cases.check_test(case) for case in cases.test]
    )


@pytest.mark.parametrize("name", CHANNELS)
def test_a_clean_data_set_has_no_problem(originals: dict[str, CasesToCheck], name: str) -> None:
    assert problems_of(originals[name]) == ()


@pytest.mark.parametrize(("channels", "name", "fault"), PLANTED)
def test_a_planted_fault_is_named_once_and_nothing_else(
    originals: dict[str, CasesToCheck], channels: str, name: str, fault: Fault, tmp_path: Path
) -> None:
    cases, expected = fault.plant(copy(originals[channels], tmp_path / "data"))
    problems = problems_of(cases)
    assert re.search(SAYS[name], problems[0].what)
    assert sorted((problem.kind, problem.file.name) for problem in problems) == sorted(expected)
    assert problems[0].severity == fault.severity
    for problem in problems:
        assert problem.kind in KINDS
        assert problem.what
        assert problem.fix
        assert not problem.what.startswith(str(problem.file))
        assert not problem.what.endswith((".", ";"))
        assert problem.file.exists() or problem.kind == "missing"


def test_several_faults_are_found_at_once_whatever_the_order_of_the_cases(
    originals: dict[str, CasesToCheck], tmp_path: Path
) -> None:
    cases = copy(originals["MRI"], tmp_path / "data")
    expected = set()
    for name in ("unknown label", "other orientation", "few patients", "one name twice"):
        cases, found = FAULTS[name].plant(cases)
        expected |= found
    problems = problems_of(cases)
    assert {(problem.kind, problem.file.name) for problem in problems} == expected
    order = np.random.default_rng(0).permutation(len(cases.training))
    shuffled = replace(cases, training=tuple(cases.training[index] for index in order))
    assert problems_of(shuffled) == problems
