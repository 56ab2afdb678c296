"""AortaSeg24's adapter: numbers with gaps, halves, and sides."""

import shutil
from pathlib import Path

import pytest

from tests.fakes.aorta import write_fake
from uumamba.core.errors import InputError
from uumamba.data.datasets.aorta import AORTA, LABELS, index
from uumamba.data.datasets.sides import sided_pairs


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three subjects."""
    root = tmp_path_factory.mktemp("aorta")
    write_fake(root, numbers=(2, 7, 31))
    return root


@pytest.fixture
def root(tree: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(tree, tmp_path / "training"))


@pytest.mark.parametrize("above", [False, True])
def test_numbers_have_gaps_and_the_folder_may_lie_deeper(root: Path, above: bool) -> None:
    listing = index(root.parent if above else root)
    assert [case.name for case in listing.training] == ["subject002", "subject007", "subject031"]
    assert (listing.test, listing.folds, listing.problems) == ((), None, ())


def test_an_image_without_mask_is_left_out_and_told(root: Path) -> None:
    (root / "masks" / "subject007_label.mha").unlink()
    (root / "images" / "subject031_CTA.mha").unlink()
    listing = index(root)
    listing.require_usable()
    assert [case.name for case in listing.training] == ["subject002"]
    assert [problem.what for problem in listing.problems] == [
        "images without label map, which are left out: case subject007",
        "label maps without image, which are left out: case subject031",
    ]


def test_a_subject_twice_blocks(root: Path) -> None:
    shutil.copytree(root / "images", root / "images_2")
    with pytest.raises(InputError, match=r"^3 problems with the data:\n.*second file for case subject002, beside"):
        index(root).require_usable()


def test_no_pairs_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pair of AortaSeg24 here; give the folder that holds images/subject001"):
        index(tmp_path).require_usable()


def test_23_labels_four_pairs_of_sides_and_no_mirroring_from_left_to_right() -> None:
    assert len(LABELS.structures) == 23
    assert [LABELS.structures[name] for name in ("Zone 0", "SMA", "Right renal", "Zone 10 R", "Zone 11 L")] == [
        1, 13, 15, 18, 23,
    ]  # fmt: skip
    assert sided_pairs(LABELS.names) == (
        ("Right renal", "Left renal"),
        ("Zone 10 R", "Zone 10 L"),
        ("Right internal iliac", "Left internal iliac"),
        ("Zone 11 R", "Zone 11 L"),
    )
    assert AORTA.description.mirrored_axes == (1, 2)
