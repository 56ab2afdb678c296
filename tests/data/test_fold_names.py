"""Lists of folds on the command line."""

import pytest

from uumamba.core.errors import InputError
from uumamba.data.fold_names import parse_folds


@pytest.mark.parametrize(
    ("text", "folds"),
    [("0-4", "01234"), ("0,2,3", "023"), ("0-2,4", "0124"), ("3", "3"), ("2-2", "2"), ("4, 0", "40"), ("00-1", "01")],
)
def test_lists_and_ranges_in_the_order_given(text: str, folds: str) -> None:
    assert parse_folds(text, count=5) == tuple(folds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4-2", "--folds 4-2: 4-2 goes down; write 2-4"),
        ("0-5", "--folds 0-5: there is no fold 5; there are the folds 0 to 4"),
        ("7", "--folds 7: there is no fold 7"),
        ("0-2,2", "--folds 0-2,2: fold 2 is there twice; name it once"),
        ("all", "--folds all: 'all' is no fold; list folds such as 0-4, 0,2,3 or 0-2,4, there are the folds 0 to 4"),
        ("", "--folds : '' is no fold"),
        ("0,", "--folds 0,: '' is no fold"),
        ("-1", "--folds -1: '-1' is no fold"),
        ("1-", "--folds 1-: '1-' is no fold"),
        ("0-99999999999", "--folds 0-99999999999: there is no fold 5"),
        ("²", "--folds ²: '²' is no fold"),
    ],
)
def test_what_is_no_list_of_folds(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_folds(text, count=5)
    assert str(raised.value).startswith(message)
