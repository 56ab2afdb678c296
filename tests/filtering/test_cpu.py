"""The compiled CPU filter: how work is divided, and what it says where it cannot run."""

import sys
from collections.abc import Iterator

import pytest
import torch
from numba.core.errors import LoweringError

from tests.filtering.drawn import Case, worst_error
from uumamba.core.errors import UumambaError
from uumamba.filtering import cpu, cpu_kernels

CPU = torch.device("cpu")


@pytest.fixture(params=[2, 3, 7, 40])
def _threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So many threads for one test, also on small maps."""
    before = torch.get_num_threads()
    monkeypatch.setattr(cpu, "_SMALL", 0)
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(
    "case", [Case(1, 5, 1, (3, 5, 40), (3, 3, 3), (1, 2, 2)), Case(3, 6, 2, (7, 9), (3, 3), (1, 1))], ids=str
)
def test_many_threads(case: Case) -> None:
    """Rows and channels are all done, once, and give the same bits each time."""
    tensors = case.draw(torch.float32)
    ours, again = case.results(*tensors, "cpu"), case.results(*tensors, "cpu")
    assert worst_error(ours, case.results(*case.draw())) <= 1e-6
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))


def test_small_maps_stay_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads cost more than they save there."""
    seen: list[int] = []
    monkeypatch.setattr(cpu, "side_by_side", lambda *given: seen.append(len(given[2])))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    case = Case(1, 8, 1, (16, 16), (3, 3), (1, 1))
    x, kernels = (tensor.detach() for tensor in case.draw(torch.float32))
    case.filter(x, kernels, "cpu")
    monkeypatch.setattr(cpu, "_SMALL", 8 * 9 * 16 * 16)
    case.filter(x, kernels, "cpu")
    assert seen == [1, 4]


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's own errors run over many lines."""

    def fail(*_: object) -> None:
        raise LoweringError("no such instruction\nin a long story")

    fail.signatures = [()]
    monkeypatch.setattr(cpu_kernels, "filter_rows", fail)
    case = Case(1, 2, 1, (4, 4), (3, 3), (1, 1))
    message = r"^adaptive filter: backend 'cpu' cannot be compiled here \(.*instruction\); pip install --upgrade numba$"
    with pytest.raises(UumambaError, match=message):
        case.filter(*case.draw(torch.float32), "cpu")


def test_says_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal gives its reason."""
    assert cpu.why_not(torch.device("cuda"), torch.float32) == "it runs on the CPU alone"
    assert cpu.why_not(CPU, torch.float64) == "it computes in torch.float32, not in torch.float64"
    assert cpu.why_not(CPU, torch.float32) is None
    monkeypatch.setitem(sys.modules, "numba", None)
    assert str(cpu.why_not(CPU, torch.float32)).startswith("numba cannot be imported (")
