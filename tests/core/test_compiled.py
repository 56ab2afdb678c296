"""Loops that numba compiles: how they are shared among threads, how a failure is told, where they cannot run.

That they are kept on disk, and what is said where they cannot be, is tested with the selective scan's.
"""

import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from numba.core.errors import LoweringError

from uumamba.core.compiled import compiled, side_by_side, why_not_on_a_cpu
from uumamba.core.errors import UumambaError


class Recorder:
    """In a kernel's place: remembers its calls and their threads; waits until so many run at once."""

    signatures = ((),)

    def __init__(self, together: int) -> None:
        self.barrier = threading.Barrier(together, timeout=120)
        self.calls: list[tuple[int, int]] = []

    def __call__(self, *arguments: Any) -> None:
        """Wait for the others."""
        self.barrier.wait()
        self.calls.append((*arguments, threading.get_ident()))


def test_compiles_and_runs() -> None:
    """A compiled function does what the plain one does."""

    @compiled("test", fastmath={"contract"})
    def double(numbers: np.ndarray, place: int) -> None:
        numbers[place] *= 2

    numbers = np.arange(4.0)
    side_by_side("test", double, [(numbers, 1), (numbers, 3)])
    assert numbers.tolist() == [0, 2, 2, 6]


@pytest.mark.parametrize("threads", [1, 3])
def test_calls_run_side_by_side_on_as_many_threads_as_torch_has(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call once; one thread is the caller's own."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    recorder = Recorder(threads)
    side_by_side("test", recorder, [(i,) for i in range(6)])
    assert sorted(call for call, _ in recorder.calls) == list(range(6))
    used = {thread for _, thread in recorder.calls}
    assert (used == {threading.get_ident()}) == (threads == 1)


def test_what_cannot_be_compiled_is_one_line() -> None:
    """Numba's own errors run over many lines."""

    def fail(*_: object) -> None:
        raise LoweringError("no such instruction\nin a long story")

    fail.signatures = [()]
    message = r"^test: backend 'cpu' cannot be compiled here \(.*instruction\); pip install --upgrade numba$"
    with pytest.raises(UumambaError, match=message):
        side_by_side("test", fail, [()])


def test_says_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal gives its reason; an installed numba may be too old for the numpy beside it."""
    cpu = torch.device("cpu")
    assert why_not_on_a_cpu(torch.device("cuda"), torch.float32) == "it runs on the CPU alone"
    assert why_not_on_a_cpu(cpu, torch.float64) == "it computes in torch.float32, not in torch.float64"
    assert why_not_on_a_cpu(cpu, torch.float32) is None
    monkeypatch.setitem(sys.modules, "numba", None)
    assert str(why_not_on_a_cpu(cpu, torch.float32)).startswith("numba cannot be imported (")
