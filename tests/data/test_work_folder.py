"""The work folder: whose cases are held out, and what is said where something is missing."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.data.splits import Fold, write_folds
from uumamba.data.work_folder import WorkFolder, held_out_cases, work_folder_of

ROTATING = (
    Fold(training=("a",), validation=("b",), test=("c",)),
    Fold(training=("c",), validation=("a",), test=("b",)),
)
FIXED = (Fold(training=("a",), validation=("b",), test=("t",)), Fold(training=("b",), validation=("a",), test=("t",)))


def work(root: Path, folds: tuple[Fold, ...]) -> Path:
    """A work folder of a data set called boxes that holds its folds alone."""
    write_folds(root / "boxes" / "folds.json", folds)
    return root


def test_a_fold_holds_out_two_kinds_of_cases(tmp_path: Path) -> None:
    root = work(tmp_path, ROTATING)
    assert held_out_cases(root, "boxes", "0") == ("b",)
    assert held_out_cases(root, "boxes", "0", "test") == ("c",)
    assert held_out_cases(root, "csv:elsewhere/boxes.csv", "1", "test") == ("b",)


def test_all_folds_may_test_on_the_same(tmp_path: Path) -> None:
    assert held_out_cases(work(tmp_path, FIXED), "boxes", None, "test") == ("t",)
    with pytest.raises(InputError, match=r"--split test: every fold has other cases; name one with --fold"):
        held_out_cases(work(tmp_path / "other", ROTATING), "boxes", None, "test")


def test_all_is_everything_that_no_fold_keeps_for_its_test(tmp_path: Path) -> None:
    every = WorkFolder(work(tmp_path, FIXED) / "boxes").read_fold("all")
    assert every == Fold(training=("a", "b"), validation=(), test=("t",))
    every = WorkFolder(work(tmp_path / "other", ROTATING) / "boxes").read_fold("all")
    assert every == Fold(training=("a", "b", "c"), validation=(), test=())


def test_none_held_out(tmp_path: Path) -> None:
    root = work(tmp_path, (Fold(training=("a",), validation=("b",)), Fold(training=("b",), validation=("a",))))
    with pytest.raises(InputError, match=r"--split test: .*folds.json names no test case; .*planning.test_fraction"):
        held_out_cases(root, "boxes", "0", "test")
    with pytest.raises(InputError, match=r"--fold all: holds out no case; name a fold from 0"):
        held_out_cases(root, "boxes", "all")


@pytest.mark.parametrize("name", ["..", "a/b", "csv:/", ""])
def test_a_name_must_be_one_of_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be a data set's name, or layout:place"):
        work_folder_of(tmp_path, name)


def test_what_is_not_preprocessed(tmp_path: Path) -> None:
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "dataset.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"liver: no preprocessed data set here \(there are: boxes\); run `uumamba pre"
    ):
        work_folder_of(tmp_path, "liver").read_description()
    with pytest.raises(
        InputError, match=r"dataset\.json: not a data set's description \(.*\); run `uumamba preprocess"
    ):
        work_folder_of(tmp_path, "boxes").read_description()
