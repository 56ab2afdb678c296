"""Tables of cases as people save them."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.inference.input_table import ListedCase, read_input_table

ONE, TWO = ("MRI",), ("T1", "T2")


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "study.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("column", ["image", "image_MRI"])
def test_one_channel(column: str, tmp_path: Path) -> None:
    path = table(tmp_path, f"patient,{column}\n7,a/x.nii\n\n8,/data/y.nii\n")
    assert read_input_table(path, ONE) == (
        ListedCase((tmp_path / "a" / "x.nii",), "", 2, {"patient": "7"}),
        ListedCase((Path("/data/y.nii"),), "", 4, {"patient": "8"}),
    )


def test_several_channels_in_the_models_order(tmp_path: Path) -> None:
    path = table(tmp_path, "image_T2,case,image_T1\nb.nii,Anna,a.nii\n,Bert,c.nii\n")
    anna, bert = read_input_table(path, TWO)
    assert anna.images == (tmp_path / "a.nii", tmp_path / "b.nii")
    assert bert.images == (tmp_path / "c.nii",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_spreadsheets_semicolons_quotes_and_mark(encoding: str, tmp_path: Path) -> None:
    path = table(tmp_path, 'case; image ;note\r\nMüller;"a;b.nii"; tall \r\n', encoding)
    assert read_input_table(path, ONE) == (ListedCase((tmp_path / "a;b.nii",), "Müller", 2, {"note": "tall"}),)


@pytest.mark.parametrize(
    ("text", "channels", "message"),
    [
        ("", ONE, "needs the column image .* it has none"),
        ("case,file\na,b\n", ONE, "needs the column image with the images' paths .* it has case, file"),
        ("image\na.nii\n", TWO, "needs the column image_T1, image_T2"),
        ("image_T1\na.nii\n", TWO, "needs the column image_T1, image_T2"),
        ("image,case,image\na,b,c\n", ONE, "has the column image twice"),
        ("image,case\n", ONE, "lists no case; give a row for each"),
        ("image,case\na.nii,../a\n", ONE, r"line 2: the case '../a' cannot name a file"),
        ("image,case\na.nii,..\n", ONE, r"line 2: the case '..' cannot name a file"),
    ],
)
def test_what_is_no_table_of_cases(text: str, channels: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"study\.csv: {message}"):
        read_input_table(table(tmp_path, text), channels)


def test_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_input_table(table(tmp_path, "image\nMüller.nii\n", "latin-1"), ONE)
