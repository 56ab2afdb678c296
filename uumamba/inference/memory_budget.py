"""The memory that the cases of a batch take, known from their headers before any is read, and what they may take."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uumamba.core.errors import InputError
from uumamba.data.memory import reading_bytes
from uumamba.imaging.files import read_size
from uumamba.inference.inputs import CaseInput
from uumamba.inference.memory import require_memory
from uumamba.inference.predictor import Predictor


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes that the process will hold at most, by case, and how many it may hold.

    A case whose header cannot be read is in no mapping: it will fail when it is read. `beside` are the bytes that
    each case takes while it is read or written beside another.
    """

    needed: Mapping[str, int]
    beside: Mapping[str, int]
    allowed: int

    def require(self, case: str) -> None:
        """Raise `TooLargeError` if the case takes more than is allowed."""
        if case in self.needed:
            require_memory(self.needed[case], self.allowed)

    @property
    def fits_side_by_side(self) -> bool:
        """Whether one case may be read and another written while the largest of those that fit is predicted."""
        fitting = [case for case, needed in self.needed.items() if needed <= self.allowed]
        largest = max((self.needed[case] for case in fitting), default=0)
        beside = max((self.beside[case] for case in fitting), default=0)
        return largest + 2 * beside <= self.allowed

    @property
    def largest(self) -> int | None:
        """What the largest case takes; None without a case whose header can be read."""
        return max(self.needed.values(), default=None)


def budget_of(predictor: Predictor, cases: Iterable[CaseInput], *, maps: bool, allowed: int) -> MemoryBudget:
    """Read the cases' headers; raises `OSError` where memory cannot be measured."""
    needed, beside = {}, {}
    for case in cases:
        try:
            sizes = [read_size(path, max_dimensions=4) for path in case.images]
        except InputError:
            continue
        written = predictor.result_bytes(maps=maps) * sum(math.prod(size.shape) for size in sizes[:1])
        beside[case.case] = sum(reading_bytes(size) for size in sizes) + written
        needed[case.case] = max((predictor.bytes_of(size, maps=maps) for size in sizes), default=0)
    return MemoryBudget(needed, beside, allowed)
