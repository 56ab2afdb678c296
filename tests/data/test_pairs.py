"""Files that belong together by their names, and what is said of the others."""

import re
from pathlib import Path

import pytest

from uumamba.data.datasets.pairs import in_words, pair_files

IMAGE, LABEL = re.compile(r"0*(\d+)\.img"), re.compile(r"0*(\d+)\.label")


def touch(root: Path, *names: str) -> None:
    """Empty files."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_pairs_come_from_any_folder_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "a/10.img", "b/10.label", "a/9.img", "a/009.label", "a/._9.img", ".trash/3.img", "a/9.img.txt")
    pairs = pair_files(tmp_path, IMAGE, LABEL)
    assert list(pairs.files) == ["9", "10"]
    assert pairs.files["9"] == (tmp_path / "a" / "9.img", tmp_path / "a" / "009.label")
    assert (pairs.problems, pairs.half) == ((), frozenset())


def test_halves_do_not_block_and_doubles_do(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.img" for number in range(1, 7)), "6.label", "7.label", "again/6.label")
    pairs = pair_files(tmp_path, IMAGE, LABEL)
    assert list(pairs.files) == ["6"]
    assert pairs.half == {"1", "2", "3", "4", "5", "7"}
    double, images, labels = pairs.problems
    assert [problem.blocks for problem in pairs.problems] == [True, False, False]
    assert double.sentence == (
        f"{tmp_path / 'again' / '6.label'}: is a second file for case 6, beside {tmp_path / '6.label'}; remove one"
    )
    said = "images without label map, which are left out: cases 1, 2, 3 and 2 others; restore them"
    assert images.sentence == f"{tmp_path / '1.img'}: {said}"
    assert labels.what == "label maps without image, which are left out: case 7"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["17"], "case 17"),
        (["17", "233"], "cases 17 and 233"),
        (["1", "2", "3"], "cases 1, 2 and 3"),
        (["1", "2", "3", "4"], "cases 1, 2, 3 and 1 other"),
        ([str(number) for number in range(44)], "cases 0, 1, 2 and 41 others"),
    ],
)
def test_cases_in_words(names: list[str], words: str) -> None:
    assert in_words(names) == words
