"""The table is what it was written from."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.inference.case_table import (
    COLUMNS,
    CaseResult,
    CaseTable,
    is_case_table,
    read_case_names,
    read_cases,
    write_cases,
)

FAILED = CaseResult(
    case="sub/a", status="failed", code="geometry", reason='no "x", sorry',
    inputs=(Path("in, put/a.nii"), Path("b.nii")),
    output=Path("out/sub/a.nii.gz"), seconds=1.25, repairs=("spacing from pixdim", "sform ignored"), confidence={},
    input_sha256="0f", settings_sha256="1e", output_sha256="",
)  # fmt: skip
FLAGGED = replace(
    FAILED, case="b", status="flagged", code="x; y", inputs=(), confidence={"wall": 0.5, "cavity": None}, repairs=(),
    output_sha256="2d", entropy_sha256="3c", disagreement_sha256="4b",
)  # fmt: skip
EMPTY = {"wall": None, "cavity": None}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases(path, [FAILED, FLAGGED])
    back = read_cases(path)
    assert back == {"sub/a": replace(FAILED, confidence={"wall": None, "cavity": None}), "b": FLAGGED}
    write_cases(tmp_path / "again.csv", back.values())
    assert path.read_bytes() == (tmp_path / "again.csv").read_bytes()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*COLUMNS, "confidence_wall", "confidence_cavity")
    assert [row["confidence_lowest"] for row in rows] == ["", "0.5000"]


def test_new_rows_come_first_and_take_the_place_of_old_ones(tmp_path: Path) -> None:
    table = CaseTable(tmp_path / "cases.csv", {row.case: row for row in (FAILED, FLAGGED)})
    assert list(read_cases(tmp_path / "cases.csv").values()) == [replace(FAILED, confidence=EMPTY), FLAGGED]
    table.add(replace(FLAGGED, code="newer"))
    assert list(read_cases(tmp_path / "cases.csv").values()) == [
        replace(FLAGGED, code="newer"),
        replace(FAILED, confidence=EMPTY),
    ]


@pytest.mark.parametrize("change", [("1.25", "soon"), (",1.25,", ","), ("failed,geometry", "failed")])
def test_a_table_that_was_changed_is_told(change: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_cases(path, [FLAGGED, FAILED])
    path.write_text(path.read_text().replace(*change))
    assert read_case_names(path) == ("b", "sub/a")
    with pytest.raises(
        InputError, match=r"cases\.csv: line [23] is not as this program wrote it; put the table away, or"
    ):
        read_cases(path)


def test_foreign_or_missing_table_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    for text in (None, "", "case,image,label\na,b,c\n"):
        if text is not None:
            path.write_text(text)
        assert read_cases(path) == {}
        assert not is_case_table(path)
    write_cases(path, [])
    assert is_case_table(path)
    assert read_cases(path) == {}
