"""The package's logger, on the screen and in a run's own file."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.logging import RichHandler

from uumamba.core.progress import CONSOLE

log = logging.getLogger("uumamba")
log.setLevel(logging.INFO)


def show_log(verbose: bool = False) -> None:
    """Print the log to the screen's error stream; `verbose` adds the details."""
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    if not any(isinstance(handler, RichHandler) for handler in log.handlers):
        log.addHandler(RichHandler(console=CONSOLE, show_path=False, show_level=False, omit_repeated_times=False))


@contextmanager
def silent(*, unless: bool) -> Iterator[None]:
    """Show neither log nor progress for the block, as one of many processes, unless this is the one that speaks."""
    before, CONSOLE.quiet = CONSOLE.quiet, CONSOLE.quiet or not unless
    try:
        yield
    finally:
        CONSOLE.quiet = before


@contextmanager
def log_to(path: Path | None) -> Iterator[None]:
    """Append the log to a file, if there is one, while the block runs."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
