"""Shards are the whole, each case once."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.inference.inputs import CaseInput
from uumamba.inference.shard import Shard, parse_shard

CASES = tuple(CaseInput(name, (Path(name),)) for name in ("d", "b", "a/x", "c", "e"))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_together_they_are_the_batch_whatever_its_order(count: int) -> None:
    shards = [Shard(number, count).of(CASES) for number in range(1, count + 1)]
    assert sorted(case.case for shard in shards for case in shard) == sorted(case.case for case in CASES)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert shards == [Shard(number, count).of(CASES[::-1]) for number in range(1, count + 1)]


def test_parsing() -> None:
    assert parse_shard("2/10") == Shard(2, 10)
    assert Shard(2, 10).ending == "_2_of_10"


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "-1/4", "1/4/2", "a/b", "1.0/2", ""])
def test_no_shard(text: str) -> None:
    with pytest.raises(InputError, match="must be i/n with i from 1 to n, such as 1/4"):
        parse_shard(text)
