"""How many cases are prepared at once: as many as there are cores, and as fit the memory side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from uumamba.core.errors import TooLargeError
from uumamba.core.held_memory import available_bytes, held_bytes
from uumamba.core.log import log
from uumamba.core.machine import available_cores
from uumamba.data.case import Case
from uumamba.data.memory import CaseSize, checking_bytes, size_of_case, storing_bytes
from uumamba.data.plan import Plan


@dataclass(frozen=True)
class CaseProcesses:
    """How many processes a data set gets: as many as are `asked` for, or as fit; `sizes` by name of case.

    A case whose headers cannot be read is in no mapping: it will fail when it is read.
    """

    sizes: Mapping[str, CaseSize]
    asked: int | None

    @classmethod
    def of(cls, cases: Sequence[Case], asked: int | None) -> "CaseProcesses":
        """Read the headers of all cases' files."""
        sizes = {case.name: size_of_case(case) for case in cases}
        return cls({name: size for name, size in sizes.items() if size is not None}, asked)

    def to_check(self, cases: Sequence[Case]) -> int:
        """For checking and measuring these cases; raises `TooLargeError` if there is too little memory for one."""
        needed = [checking_bytes(self.sizes[case.name]) for case in cases if case.name in self.sizes]
        return number_of_processes("check and measure cases", needed, self.asked)

    def to_store(self, what: str, cases: Sequence[Case], plan: Plan) -> int:
        """For preprocessing these cases; raises `TooLargeError` if there is too little memory for one."""
        needed = [storing_bytes(self.sizes[case.name], plan) for case in cases if case.name in self.sizes]
        return number_of_processes(what, needed, self.asked)


def number_of_processes(what: str, needed: Iterable[int], asked: int | None) -> int:
    """How many processes do `what` at once, where a case takes `needed` bytes; as many as `asked` for if that is given.

    The log says how many, and why. Raises `TooLargeError` if there is too little memory for one.
    """
    cores, largest = available_cores(), max(needed, default=0)
    if asked is not None:
        log.info("%s: %d processes, as asked; the largest case takes %.1f GB", what, asked, largest / 1e9)
        return asked
    device = torch.device("cpu")
    try:
        held, available = held_bytes(device), available_bytes(device)
    except OSError:
        available = None
    if available is None:
        log.info("%s: %d processes, one per core; this system does not tell how much memory is free", what, cores)
        return cores
    processes = processes_that_fit(cores, largest, held=held, available=available)
    log.info(
        "%s: %d processes on %d cores; the largest case takes %.1f GB, %.1f GB may be used",
        *(what, processes, cores, (held + largest) / 1e9, available / 1e9),
    )
    return processes


def processes_that_fit(cores: int, largest: int, *, held: int, available: int) -> int:
    """Processes of which each holds `held` bytes, as this one does, and `largest` for a case; at most one per core.

    `available` is what all may hold together. One process alone is this one; others work beside it. Raises
    `TooLargeError` if one does not fit.
    """
    needed = held + largest
    if needed > available:
        raise TooLargeError(
            f"the largest case takes {needed / 1e9:.1f} GB of memory where {available / 1e9:.1f} GB may be used: "
            f"{(needed - available) / 1e9:.1f} GB are missing; free memory, use a machine with more, or set "
            f"hardware.processes=1 to try nevertheless"
        )
    return max(1, min(cores, (available - held) // needed))
