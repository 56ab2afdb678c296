"""The same voxels, however they are stored."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.data.case import Case
from uumamba.data.checks.duplicates import HashedFile, hash_voxels, image_duplicates, label_duplicates

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)


def file(name: str, patient: str, *, path: str = "", voxels: str = "same") -> HashedFile:
    """An image of a case."""
    image = Path(path or f"{name}.nii.gz")
    return HashedFile(Case(name, patient, (image,), Path(f"{name}_gt.nii.gz")), image, voxels)


@pytest.mark.parametrize("stored", [VOXELS.astype(np.float32), np.asfortranarray(VOXELS), VOXELS.astype(">i2")])
def test_type_and_order_in_memory_do_not_matter(stored: np.ndarray) -> None:
    assert hash_voxels(stored) == hash_voxels(VOXELS)


@pytest.mark.parametrize("other", [VOXELS + 1, VOXELS[::-1], VOXELS.reshape(5, 4, 6), VOXELS.transpose(1, 0, 2)])
def test_other_voxels_have_another_hash(other: np.ndarray) -> None:
    assert hash_voxels(other) != hash_voxels(VOXELS)


def test_each_copy_is_told_beside_the_first() -> None:
    problems = list(image_duplicates([file("c", "p"), file("a", "p"), file("b", "p")], patients_known=True))
    assert [(problem.file.name, problem.what) for problem in problems] == [
        ("b.nii.gz", "the same image as a.nii.gz"),
        ("c.nii.gz", "the same image as a.nii.gz"),
    ]
    assert not any(problem.blocks for problem in problems)


def test_a_file_of_two_cases_is_told_with_both() -> None:
    files = [file("a", "p", path="x.nii"), file("b", "q", path="x.nii")]
    (problem,) = image_duplicates(files, patients_known=True)
    assert problem.blocks
    assert problem.what.startswith("the same image in the cases a and b, but of patient q and not p: one would be")


def test_a_file_of_two_channels_is_told() -> None:
    (problem,) = image_duplicates([file("a", "p"), file("a", "p")], patients_known=True)
    assert problem.what == "the same image in two channels of a"


def test_a_person_who_is_known_under_two_names_does_not_block() -> None:
    one_person = (frozenset({"p", "q"}),)
    (problem,) = image_duplicates([file("a", "p"), file("b", "q")], patients_known=True, one_person=one_person)
    assert not problem.blocks
    assert problem.what == "the same image as a.nii.gz: the data set lists this person twice"


def test_where_patients_are_unknown_nothing_blocks() -> None:
    (problem,) = image_duplicates([file("a", "a"), file("b", "b")], patients_known=False)
    assert not problem.blocks


def test_label_maps_are_compared_where_images_differ() -> None:
    labels = [file("a", "p"), file("b", "q")]
    images = [file("a", "p", voxels="one"), file("b", "q", voxels="two")]
    (problem,) = label_duplicates(labels, images)
    assert problem.what == "the same label map as a.nii.gz, whose image is another"
    assert list(label_duplicates(labels, [file("a", "p"), file("b", "q")])) == []


def test_frames_of_one_series_are_two_images() -> None:
    labels = [file("ed", "p", path="series.nii.gz"), file("es", "p", path="series.nii.gz")]
    images = [file(name, "p", path="series.nii.gz", voxels=name) for name in ("ed", "es")]
    (problem,) = label_duplicates(labels, images)
    assert not problem.blocks
