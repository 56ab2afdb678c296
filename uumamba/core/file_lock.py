"""Lock files: where one process is at work, no other is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from uumamba.core.errors import InputError


@contextmanager
def locked(path: Path, *, otherwise: str) -> Iterator[None]:
    """Hold the lock file `path` for the block and remove it at the end; `InputError(otherwise)` if another holds it.

    The system lets go of the lock when the process ends, however it does; a file that then stays locks nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(otherwise) from None
    try:
        yield
    finally:
        if os.name == "posix":  # Windows removes no open file; there the lock itself removes it
            path.unlink(missing_ok=True)
        lock.release()
