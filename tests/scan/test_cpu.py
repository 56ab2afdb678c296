"""The compiled CPU scan: its arithmetic, how work is divided, and what it does where nothing can be kept on disk."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.errors import LoweringError

from tests.scan.drawn import draw, moved, results, worst_error
from uumamba.core.errors import UumambaError
from uumamba.scan import cpu, cpu_kernels, cpu_lanes, selective_scan
from uumamba.scan.cpu_problem import LANES, TILE
from uumamba.scan.inputs import ScanInputs

CPU = torch.device("cpu")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Set torch's number of threads for one test, and let small scans use them."""
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "_SMALL", 0)
        yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("exp2", np.exp2),
        ("softplus", lambda x: np.logaddexp(0, x)),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_functions_of_lanes(name: str, truth: Callable[[np.ndarray], np.ndarray]) -> None:
    """A few units in the last place where numbers are normal; NaN stays NaN; nothing overflows."""
    function = getattr(cpu_lanes, name)

    @njit
    def apply(x: np.ndarray, result: np.ndarray) -> None:
        for start in range(0, x.size, LANES):
            cpu_lanes.store(result, start, function(cpu_lanes.load(x, start)))

    x = np.linspace(-40, 40, 4096, dtype=np.float32)
    x[-4:] = np.nan, np.inf, -np.inf, 0
    x[:1].view(np.uint32)[:] = 0x7FC00001  # another NaN
    result = np.empty_like(x)
    apply(x, result)
    np.testing.assert_allclose(result[1:-4], truth(x[1:-4].astype(np.float64)), rtol=3e-6)
    assert np.isnan(result[[0, -4]]).all()
    assert result[-3] >= 1
    assert 0 <= result[-2] < 1e-37
    assert result[-1] == pytest.approx(truth(np.float64(0)))


def test_lanes_are_moved_and_summed() -> None:
    """A transposed square is a transposed square, strides included; the total is the sum."""

    @njit
    def apply(x: np.ndarray, target: np.ndarray) -> float:
        cpu_lanes.transpose(x, 3, 20, target, 1, 18)
        return cpu_lanes.total(cpu_lanes.load(x, 3) * cpu_lanes.spread(np.float32(2)))

    x = np.arange(20 * LANES + 3, dtype=np.float32)
    target = np.zeros(18 * LANES + 1, np.float32)
    total = apply(x, target)
    square = x[3:].reshape(LANES, 20)[:, :LANES]
    np.testing.assert_array_equal(target[1:].reshape(LANES, 18)[:, :LANES], square.T)
    assert total == 2 * square[0].sum()


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 40), st.integers(1, 300), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_tasks_cover_everything_once(batch: int, groups: int, channels: int, length: int, threads: int) -> None:
    """Whatever the sizes, each block and step belongs to one task, chunks begin at tiles, and no task is empty."""
    sequence, matrix = torch.zeros(batch, groups * channels, length), torch.zeros(batch, groups, 1, length)
    A = torch.zeros(groups * channels, 1)
    problem = cpu.pack(ScanInputs(sequence, sequence, A, matrix, matrix, None, None, None, False))
    tasks = cpu.divide(problem, batch, length, threads)
    steps = Counter(
        (task.batch, task.group, block, step)
        for task in tasks
        for block in range(task.first, task.last)
        for step in range(task.start, task.stop)
    )
    assert set(steps.values()) == {1}
    assert len(steps) == batch * groups * -(-channels // LANES) * length
    assert all(task.start % TILE == 0 and task.start < task.stop and task.first < task.last for task in tasks)


@pytest.mark.parametrize("count", [2, 7, 16])
@pytest.mark.parametrize("shape", [(1, 4, 16, 97, 0), (2, 40, 5, 333, 2), (1, 33, 7, 1031, 0)], ids=str)
def test_many_threads(shape: tuple[int, int, int, int, int], count: int, threads: Callable[[int], None]) -> None:
    """Chunks and parts that meet again give what one thread gives, and the same bits each time."""
    arguments = moved(draw(shape), CPU, torch.float32)
    threads(count)
    ours, again = results(arguments, "cpu"), results(arguments, "cpu")
    assert worst_error(ours, results(draw(shape), "reference")) <= 1e-5
    assert all(torch.equal(ours[name], again[name]) for name in ours)


def test_few_channels_are_cut_into_chunks() -> None:
    """One block of channels on sixteen threads is sixteen chunks; on two it stays whole."""
    arguments = moved(draw((1, 8, 2, 2000, 1)), CPU, torch.float32)
    named = {name: arguments[name].detach() for name in ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")}
    problem = cpu.pack(ScanInputs(**named, delta_softplus=True))
    assert [task.chunk for task in cpu.divide(problem, 1, 2000, 16)] == list(range(16))
    assert [(task.start, task.stop) for task in cpu.divide(problem, 1, 2000, 2)] == [(0, 2000)]


@pytest.mark.parametrize("name", ["u", "delta", "A", "B", "C", "D", "z", "delta_bias"])
def test_nan_is_not_hidden(name: str) -> None:
    """A NaN in any argument reaches the output."""
    arguments = {key: value.detach() for key, value in moved(draw((1, 20, 4, 70, 0)), CPU, torch.float32).items()}
    arguments[name].view(-1)[0] = torch.nan
    assert selective_scan(**arguments, delta_softplus=True, backend="cpu").isnan().any()


def test_compiled_loops_follow_their_sources() -> None:
    """Numba compiles anew when the kernels' own file changes; a change beside it must therefore show in it."""
    folder = Path(cpu.__file__).parent
    sources = "".join((folder / name).read_text(encoding="utf-8") for name in ("cpu_lanes.py", "cpu_problem.py"))
    now = hashlib.sha256(sources.encode()).hexdigest()[:16]
    assert now == cpu_kernels.COMPILED_FROM, f"set COMPILED_FROM in {folder / 'cpu_kernels.py'} to {now!r}"


@pytest.mark.parametrize(("mode", "kept"), [(torch.enable_grad, 2), (torch.no_grad, 0), (torch.inference_mode, 0)])
def test_keeps_states_for_a_backward_pass_alone(
    mode: Callable[[], AbstractContextManager[None]], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters want gradients in inference too; then nothing is kept."""
    seen: list[int] = []
    work = cpu._work
    monkeypatch.setattr(
        cpu,
        "_work",
        lambda *given: (seen.append(given[3].tiles.shape[3]), work(*given)),
    )
    with mode():
        selective_scan(**moved(draw((1, 3, 2, TILE + 1, 0)), CPU, torch.float32), backend="cpu")
    assert seen == [kept]


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's own errors run over many lines and are no `RuntimeError`."""

    def fail(*_: object) -> None:
        raise LoweringError("no such instruction\nin a long story")

    fail.signatures = [()]
    monkeypatch.setattr(cpu_kernels, "scan", fail)
    arguments = {name: tensor.detach() for name, tensor in moved(draw((1, 2, 2, 5, 0)), CPU, torch.float32).items()}
    message = r"^selective scan: backend 'cpu' cannot be compiled here \(.*instruction\); pip install --upgrade numba$"
    with pytest.raises(UumambaError, match=message):
        selective_scan(**arguments, backend="cpu")


def test_numba_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed is not enough: it may be too old for the numpy beside it."""
    monkeypatch.setitem(sys.modules, "numba", None)
    assert str(cpu.why_not(CPU, torch.float32)).startswith("numba cannot be imported (")


def test_says_where_it_cannot_run() -> None:
    """Each refusal gives its reason."""
    assert cpu.why_not(torch.device("cuda"), torch.float32) == "it runs on the CPU alone"
    assert cpu.why_not(CPU, torch.float64) == "it computes in torch.float32, not in torch.float64"
    assert cpu.why_not(CPU, torch.float32) is None


def test_says_that_it_compiles_and_keeps_what_it_compiled(tmp_path: Path) -> None:
    """The first scan on a machine says why it takes some seconds; the next process finds the loops on disk."""
    script = "\n".join(
        (
            "import logging, torch; logging.basicConfig(level=logging.INFO, format='%(message)s')",
            "from uumamba.scan import selective_scan",
            "x = torch.ones(1, 2, 3)",
            "selective_scan(x, x, -torch.ones(2, 2), torch.ones(1, 2, 3), torch.ones(1, 2, 3), backend='cpu')",
        )
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", script]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=True).stderr
        for _ in range(2)
    )
    assert first == "selective scan: compiling scan for this processor, a few seconds, once\n"
    assert second == ""


def test_compiles_anew_where_nothing_can_be_kept() -> None:
    """Without a folder for compiled loops, as in a read-only container, they still run, and the log says so."""
    script = "\n".join(
        (
            "import logging; logging.basicConfig(level=logging.INFO)",
            "from uumamba.scan import cpu_kernels",
            "assert cpu_kernels._room(2).shape == (2, 16)",
        )
    )
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("selective scan: compiled loops cannot be kept (cannot cache function") == 1
    assert "set NUMBA_CACHE_DIR to a folder" in done.stderr
