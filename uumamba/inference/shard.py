"""One of several jobs that share a batch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from uumamba.core.errors import InputError
from uumamba.inference.inputs import CaseInput


@dataclass(frozen=True)
class Shard:
    """Job `number`, from 1, of `count` jobs that share a batch."""

    number: int
    count: int

    @property
    def ending(self) -> str:
        """What its tables' names end with."""
        return f"_{self.number}_of_{self.count}"

    def of(self, cases: Sequence[CaseInput]) -> tuple[CaseInput, ...]:
        """This job's cases: of all, sorted by name, every `count`-th. Jobs differ by one case at most."""
        return tuple(sorted(cases, key=lambda case: case.case)[self.number - 1 :: self.count])


def parse_shard(text: str) -> Shard:
    """The shard that `i/n` names, such as 2/10; else `InputError`."""
    parts = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise InputError(f"--shard {text}: must be i/n with i from 1 to n, such as 1/4, 2/4, 3/4 and 4/4")
    return Shard(int(parts[1]), int(parts[2]))
