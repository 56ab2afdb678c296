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
    todo = deque(enumerate(items))
    done: dict[int, Outcome | Died] = {}
    workers: list[_Worker] = []
    try:
        for number in range(len(items)):
            while number not in done:
                while todo and len(workers) < processes:
                    workers.append(_Worker(function))
                    workers[-1].give(*todo.popleft())
                for worker in _finished(workers):
                    done[worker.number] = worker.outcome()
                    if worker.is_dead or not todo:
                        worker.end()
                        workers.remove(worker)
                    else:
                        worker.give(*todo.popleft())
            yield done.pop(number)
    finally:
        for worker in workers:
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


def _finished(workers: Sequence[_Worker]) -> list[_Worker]:
    ready = wait([worker.connection for worker in workers])
    return [worker for worker in workers if worker.connection in ready]


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Answer each item with its outcome until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes, the first one ends the others
    with suppress(EOFError):
        while True:
            item = connection.recv()
            connection.send(function(item))
