"""What is said of label maps, in numbers."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.core.labels import LabelSet
from uumamba.data.checks.labels import absent_structures, count_labels, label_problems

LABELS = LabelSet(names=("background", "wall", "cavity"), ignore=9)
FILE = Path("a.nii.gz")


def test_counts_are_those_of_numpy() -> None:
    labels = np.random.default_rng(0).integers(0, 300, (9, 8, 7))
    numbers, counts = np.unique(labels[labels > 0], return_counts=True)
    assert count_labels(labels) == dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def test_structures_and_the_ignore_label_are_allowed() -> None:
    assert list(label_problems(FILE, {1: 5, 2: 5, 9: 5}, LABELS)) == []


def test_numbers_that_are_not_in_the_set_are_listed_with_their_voxels() -> None:
    (problem,) = label_problems(FILE, {1: 5, 3: 7, 255: 2}, LABELS)
    assert problem.blocks
    assert problem.what == "labels must be 0 to 2 (background, wall, cavity), found also 3 (7 voxels), 255 (2 voxels)"


def test_of_many_strange_numbers_some_are_listed() -> None:
    (problem,) = label_problems(FILE, dict.fromkeys(range(10, 30), 1), LABELS)
    assert problem.what.endswith("17 (1 voxels) and 12 more")


@pytest.mark.parametrize("counts", [{}, {9: 100}])
def test_a_label_map_without_structures_is_a_warning(counts: dict[int, int]) -> None:
    (problem,) = label_problems(FILE, counts, LABELS)
    assert (problem.severity, problem.kind) == ("warning", "empty_labels")


@pytest.mark.parametrize(("having", "told"), [(5, False), (4, True), (0, True)])
def test_a_structure_that_most_label_maps_lack_is_told(having: int, told: bool) -> None:
    counted = [{1: 5, 2: 5}] * having + [{1: 5}] * (10 - having)
    problems = list(absent_structures([*counted, {}], LABELS, FILE))
    assert [problem.what for problem in problems] == [f"cavity (label 2) is in {having} of 10 label maps"] * told


def test_nothing_labelled_at_all_blocks() -> None:
    (problem,) = absent_structures([{}, {9: 3}], LABELS, FILE)
    assert problem.blocks
    assert problem.what == "none of the 2 training cases has a labelled voxel"


def test_regions() -> None:
    """A region is there if one of its numbers is."""
    regions = LabelSet(names=("background", "all", "inner"), regions=((1, 2), (2,)), written=(1, 2))
    counted = [{1: 5}, {1: 5}, {1: 4, 2: 3}]
    (problem,) = absent_structures(counted, regions, Path("data"))
    assert problem.what == "inner (label 2) is in 1 of 3 label maps"
    (problem,) = absent_structures([{2: 1}, {}, {2: 3}], swapped_names(), Path("data"))
    assert problem.what == "rare (label 1+3) is in 0 of 2 label maps"
    (problem,) = label_problems(Path("case"), {1: 5, 7: 2}, regions)
    assert problem.what == "labels must be 0 to 2 (1+2 all, 2 inner), found also 7 (2 voxels)"
    assert list(label_problems(Path("case"), {2: 5}, regions)) == []


def swapped_names() -> LabelSet:
    return LabelSet(names=("background", "rare", "often"), regions=((1, 3), (2,)), written=(1, 2))
