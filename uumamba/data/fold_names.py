"""What folds and their parts are called. Several folds in one option: `0-4`, `0,2,3` or `0-2,4`."""

import re
from typing import Literal

from uumamba.core.errors import InputError

Split = Literal["validation", "test"]
"""Which cases of a fold: those that the best epoch, calibration and post-processing are chosen on, or others."""

_PART = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)


def parse_folds(text: str, *, count: int) -> tuple[str, ...]:
    """The names of the folds that `--folds` lists, in its order; there are `count` folds, 0 to count - 1.

    Raises `InputError` for what is no list of folds, a range that goes down, a fold that is not there or named twice.
    """
    allowed = f"there are the folds 0 to {count - 1}"
    numbers: list[int] = []
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None:
            raise InputError(
                f"--folds {text}: {part.strip()!r} is no fold; list folds such as 0-4, 0,2,3 or 0-2,4, {allowed}"
                " (--fold all trains on every case)"
            )
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise InputError(f"--folds {text}: {part.strip()} goes down; write {last}-{first}")
        if last >= count:
            raise InputError(f"--folds {text}: there is no fold {max(first, count)}; {allowed}")
        numbers += range(first, last + 1)
    if repeated := [number for number in numbers if numbers.count(number) > 1]:
        raise InputError(f"--folds {text}: fold {repeated[0]} is there twice; name it once")
    return tuple(map(str, numbers))
