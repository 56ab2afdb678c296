"""Signals that ask a run to stop, heard at once and obeyed where nothing is lost."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from uumamba.core.errors import Interrupted
from uumamba.core.log import log

# Windows has no SIGUSR1.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name))


class Interruption:
    """Hears SIGTERM, SIGUSR1 and SIGINT (Ctrl-C).

    Inside `deferred` a signal is remembered until somebody asks for `requested`; a second Ctrl-C is obeyed at once, as
    a KeyboardInterrupt. Elsewhere the first signal raises `Interrupted` at once. Slurm and torchrun send SIGTERM more
    than once within milliseconds, so after the first one it changes nothing any more, not even after the block.
    """

    def __init__(self, *, ends_after: str = "step") -> None:
        """`ends_after` is, for the log, what a deferred signal lets come to its end."""
        self.name: str | None = None
        self._ends_after = ends_after
        self._is_deferred = False

    @property
    def requested(self) -> bool:
        """Whether a signal came."""
        return self.name is not None

    @contextmanager
    def heard(self) -> Iterator["Interruption"]:
        """Hear signals for the block, in the main thread; afterwards, if none came, they do what they did before."""
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                is_leaving = self.requested and number != signal.SIGINT
                signal.signal(number, signal.SIG_IGN if is_leaving else handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only remember signals for the block."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        was_requested, self.name = self.requested, signal.Signals(number).name
        if was_requested:
            return
        if not self._is_deferred:
            raise Interrupted(f"stopped by {self.name}")
        log.info("%s: the run stops after this %s", self.name, self._ends_after)
