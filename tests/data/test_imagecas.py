"""ImageCAS's adapter: shard folders or one, official splits, and one line for everything that is not as published."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from tests.fakes.imagecas import write_fake
from uumamba.core.errors import InputError
from uumamba.data.datasets.imagecas import index

BOOK = "imageCAS_data_split.xlsx"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients in two shards."""
    root = tmp_path_factory.mktemp("imagecas")
    write_fake(root)
    return root


@pytest.fixture
def root(tree: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(tree, tmp_path / "copy"))


def problems(root: Path) -> list[str]:
    """What is said, blocking or not."""
    return [problem.sentence for problem in index(root).problems]


def edit(root: Path, change: Callable[[Any], None]) -> None:
    """Change the workbook."""
    book = load_workbook(root / BOOK)
    change(book)
    book.save(root / BOOK)


def test_all_shards_are_one_data_set_with_four_folds(root: Path) -> None:
    listing = index(root)
    assert [case.name for case in listing.training] == ["1", "2", "3", "4", "5", "6", "7", "205"]
    assert listing.test == ()
    assert listing.folds is not None
    assert len(listing.folds) == 4
    assert sorted(name for fold in listing.folds for name in fold.test) == sorted(
        case.name for case in listing.training
    )
    assert all(fold.training and fold.validation for fold in listing.folds)


def test_one_folder_is_as_good_as_shards(root: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in root.rglob("*.*"):
        shutil.copy(path, flat / path.name)
    assert [case.name for case in index(flat).training] == [case.name for case in index(root).training]
    assert index(flat).folds == index(root).folds


def test_missing_and_half_cases_are_told_and_left_out(root: Path) -> None:
    for name in ("3.img", "3.label", "5.img", "205.label"):
        next(root.rglob(f"{name}.nii.gz")).unlink()
    listing = index(root)
    listing.require_usable()
    assert [case.name for case in listing.training] == ["1", "2", "4", "6", "7"]
    assert [problem.what for problem in listing.problems] == [
        "images without label map, which are left out: case 205",
        "label maps without image, which are left out: case 5",
        "1 of 8 cases are missing: case 3",
        "too few cases for the official folds, one of which trains or validates on none; folds are made by patient",
    ]
    assert listing.folds is None


def test_a_number_that_is_there_twice_blocks(root: Path) -> None:
    shutil.copy(root / "1-200" / "7.img.nii.gz", root / "201-400" / "7.img.nii.gz")
    with pytest.raises(
        InputError, match=r"201-400/7\.img\.nii\.gz: is a second file for case 7, beside .*; remove one"
    ):
        index(root).require_usable()


def test_without_the_workbook_there_are_no_official_folds_and_a_thousand_cases_are_expected(root: Path) -> None:
    (root / BOOK).unlink()
    listing = index(root)
    listing.require_usable()
    assert listing.folds is None
    said = f"{root / BOOK}: no such file, so folds are made by patient, and not the official ones; put it there"
    assert problems(root)[0].startswith(said)
    assert "992 of 1000 cases are missing: cases 8, 9, 10 and 989 others" in problems(root)[1]


def test_cases_that_the_sheet_lacks(root: Path) -> None:
    def change(book: Any) -> None:
        book["v2-latest"].delete_rows(4)

    edit(root, change)
    assert [problem.what for problem in index(root).problems] == [
        "the sheet of splits lacks case 2, in no fold therefore"
    ]


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ("B2", "fold", None),
        ("B4", "Train", None),
        ("B4", "spare", r"row 4 of v2-latest: 'spare' is neither Training nor Val nor Testing"),
        ("C5", None, r"row 5 of v2-latest: None is neither Training nor Val nor Testing"),
        ("A4", "second", r"row 4 of v2-latest begins with 'second', not a case's number"),
        ("A4", 1, r"row 4 of v2-latest: case 1 is there already"),
    ],
)
def test_what_stands_in_the_sheet(root: Path, cell: str, value: object, message: str | None) -> None:
    def change(book: Any) -> None:
        book["v2-latest"][cell] = value

    edit(root, change)
    if message is None:
        index(root).require_usable()
        return
    with pytest.raises(InputError, match=rf"{BOOK}: {message}; take the workbook of ImageCAS's Kaggle page again"):
        index(root).require_usable()


def test_a_workbook_that_is_none(root: Path) -> None:
    def rename(book: Any) -> None:
        book["v2-latest"].title = "v3"

    edit(root, rename)
    with pytest.raises(InputError, match=r"has no sheet v2-latest, which holds the splits, but v1, v3"):
        index(root).require_usable()
    book = Workbook()
    book.create_sheet("v2-latest").append(["FileName"])
    book.save(root / BOOK)
    with pytest.raises(InputError, match=r"sheet v2-latest has no header with Split-1"):
        index(root).require_usable()
    book["v2-latest"].append(["FileName", "Split-1"])
    book.save(root / BOOK)
    with pytest.raises(InputError, match=r"sheet v2-latest lists no case"):
        index(root).require_usable()
    (root / BOOK).write_text("not a workbook")
    with pytest.raises(InputError, match=rf"{BOOK}: cannot be read as a workbook \(.+\); take"):
        index(root).require_usable()


def test_no_pairs_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pair of ImageCAS here; give the folder that holds 1-200/1\.img\.nii\.gz"):
        index(tmp_path).require_usable()
