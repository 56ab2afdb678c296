"""Tables read again, whatever columns they have; a broken one is one line."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.reporting.html.table_file import read_table


def test_columns_that_nobody_asked_for_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_text('case,status,more\n"a, b",ok,\n')
    table = read_table(path, required=("case",))
    assert table.columns == ("case", "status", "more")
    assert table.rows == ({"case": "a, b", "status": "ok", "more": ""},)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,status\n", "cases.csv: the column case is missing; the file is broken"),
        (b"", "cases.csv: the column case is missing"),
        (b"case,status\na\n", "cases.csv: line 2: not as many cells as columns"),
        (b"case,status\na,b,c\n", "cases.csv: line 2: not as many cells as columns"),
        (b"case,status\n\xff\xfe,ok\n", "cases.csv: not a CSV table"),
    ],
)
def test_a_broken_table_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(path, required=("case",))
