"""Tables that people write."""

from pathlib import Path

import pytest

from uumamba.core.csv_rows import read_csv
from uumamba.core.errors import InputError


@pytest.mark.parametrize("text", ["a,b\n1, 2\n\n3\n", "a;b\n1;2\n3;\n", '\ufeffa,b\n1,"2"\n , \n3,,\n'])
def test_what_a_table_may_look_like(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    table = read_csv(path)
    assert table.columns == ("a", "b")
    assert [row for _, row in table.rows] == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n\n1,2\n")
    assert [line for line, _ in read_csv(path).rows] == [3]


def test_what_a_table_may_not_be(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(InputError, match=r"table\.csv: cannot be read \(No such file or directory\)"):
        read_csv(path)
    path.write_bytes(b"a\xff,b\n")
    with pytest.raises(InputError, match=r"table\.csv: is not UTF-8 text; save the table as CSV in UTF-8"):
        read_csv(path)
    path.write_text("a,a\n1,2\n")
    with pytest.raises(InputError, match=r"table\.csv: has the column a twice; rename one"):
        read_csv(path)
    path.write_text("a,b\n1,2,3\n")
    with pytest.raises(InputError, match=r"line 2: has more cells than the first line names columns"):
        read_csv(path)
