"""Work in processes of its own, where the death of a process is the outcome of the item that it worked on."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

# Processes are spawned because a fork of a process that has used torch's threads can hang.
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Died:
    """The outcome of an item whose process ended before it had one; `exit_code` is minus the signal that ended it."""

    exit_code: int

    @property
    def reason(self) -> str:
        """How it ended, as a part of a sentence."""
        names = {-number.value: f"signal {number.name}" for number in signal.Signals}
        return names.get(self.exit_code, f"exit code {self.exit_code}")


def map_isolated(
    function: Callable[[Item], Outcome], items: Sequence[Item], *, processes: int
) -> Iterator[Outcome | Died]:
    """`function` of each item, in the items' order, by at most `processes` processes at a time.

    `function`, items and outcomes must be picklable. An exception in `function` ends its process, which prints it.
    """
    crew = _Crew(function, items, processes)
    try:
        for number in range(len(items)):
            while number not in crew.done:
                crew.work_on()
            yield crew.done.pop(number)
    finally:
        crew.end()


class _Crew:
    """The processes, the items that wait for one, and by their numbers the outcomes that wait for their turn."""

    def __init__(self, function: Callable[[Any], Any], items: Sequence[Any], size: int) -> None:
        self.done: dict[int, Any] = {}
        self._function, self._size = function, size
        self._todo = deque(enumerate(items))
        self._workers: list[_Worker] = []

    def work_on(self) -> None:
        """See to it that all are at work, and wait for the next outcomes."""
        while self._todo and len(self._workers) < self._size:
            self._workers.append(_Worker(self._function))
            self._workers[-1].give(*self._todo.popleft())
        ready = wait([worker.connection for worker in self._workers])
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            self.done[worker.number] = worker.outcome()
            if self._todo and not worker.is_dead:
                worker.give(*self._todo.popleft())
            else:
                self._workers.remove(worker)
                worker.end()

    def end(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()


class _Worker:
    """One process, which works on one item at a time."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, function), daemon=True)
        self._process.start()
        theirs.close()
        self.number = -1
        self.is_dead = False

    def give(self, number: int, item: Any) -> None:
        """Hand over an item; that the process has died since is seen when its outcome is read."""
        self.number = number
        with suppress(BrokenPipeError):
            self.connection.send(item)

    def outcome(self) -> Any:
        """The outcome of the item; waits for it."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            self.is_dead = True
            return Died(self._process.exitcode or 0)

    def end(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()
        self._process.close()
        self.connection.close()


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Answer each item with its outcome until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, the first one ends the others
    with suppress(EOFError):
        while True:
            item = connection.recv()
            connection.send(function(item))
