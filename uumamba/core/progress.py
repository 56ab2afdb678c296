"""Progress with the time left, on the error stream so that tables and pipes stay clean."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from uumamba.core.console import make_console

CONSOLE = make_console(stderr=True)
Item = TypeVar("Item")


def progress_bar(transient: bool = False, *, looks_back_seconds: float = 30.0) -> Progress:
    """A rich progress display with count, elapsed time and estimate; `add_task` and `advance` as in rich.

    The time left is estimated from the steps of the last `looks_back_seconds`, in which several should end.
    """
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=CONSOLE,
        transient=transient,
        speed_estimate_period=looks_back_seconds,
    )


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Go through `items` and show how far it is."""
    with progress_bar() as progress:
        yield from progress.track(items, total=total, description=description)
