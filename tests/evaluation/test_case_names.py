"""--cases: names on the command line, or in a file."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.evaluation.case_names import read_case_names


def test_names_with_commas() -> None:
    assert read_case_names("b, a,b,") == ("b", "a")
    assert read_case_names("patient001_frame01") == ("patient001_frame01",)
    many = ",".join(f"patient{number:03d}_frame01" for number in range(300))
    assert len(read_case_names(many)) == 300


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "b\n\n# a comment\n  a \nb\n"),
        ("names", "b\na\n"),
        ("names.csv", "vendor,case\nGE,b\nSiemens, a\nGE,b\n"),
        ("names.csv", "\ufeffcase\nb\na\n"),
    ],
)
def test_names_in_a_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_case_names(str(tmp_path / name)) == ("b", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no case"),
        (" , ", "names no case"),
        ("nowhere.txt", "--cases nowhere.txt: no such file; give names separated by commas"),
        ("some/where", "--cases some/where: no such file"),
    ],
)
def test_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_case_names(text)


def test_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,vendor\nx,GE\n")
    with pytest.raises(InputError, match=r"a.csv: has no column `case`, only name, vendor; name one so"):
        read_case_names(str(tmp_path / "a.csv"))
    (tmp_path / "b.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"b.txt: names no case"):
        read_case_names(str(tmp_path / "b.txt"))
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"c.txt: cannot be read as text"):
        read_case_names(str(tmp_path / "c.txt"))
