"""The probe says who is right, who is wrong, who fails and who cannot run, and times only who is right."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, repeat
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from uumamba.scan import BACKENDS, chunked, probe, reference
from uumamba.scan.inputs import ScanInputs
from uumamba.scan.probe import PARITY_PROBLEMS, TOLERANCE, Parity, Problem, draw, parity, probe_backend, time_calls

CPU = torch.device("cpu")
Run = Callable[[ScanInputs], tuple[Tensor, Tensor]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Run, str | None], str]]:
    """Puts a backend of the test's own into the table."""

    def add(run: Run, reason: str | None = None) -> str:
        monkeypatch.setitem(BACKENDS, "own", SimpleNamespace(why_not=lambda *_: reason, run=run))
        return "own"

    return add


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_that_can_run_here_is_right_and_gets_its_times(name: str) -> None:
    if name == "triton" and BACKENDS[name].why_not(CPU, torch.float32) is None:
        pytest.skip("Triton's interpreter has no speed to measure, and test_every_backend.py has its parity")
    found = probe_backend(name, CPU, repeats=2, long_enough_seconds=0.0)
    if BACKENDS[name].why_not(CPU, torch.float32) is not None:
        assert (found.status, found.error, found.forward) == ("unavailable", None, None)
        return
    assert (found.status, found.reason) == ("good", None)
    assert found.error is not None
    assert 0 <= found.error <= TOLERANCE
    assert found.length == 1024
    for timing in (found.forward, found.forward_backward):
        assert timing is not None
        assert 0 < timing.low <= timing.median <= timing.high
        assert timing.repeats == 2


@pytest.mark.parametrize(("seconds", "length"), [((0.3,), 1024), ((0.1, 0.29, 0.31), 16384)])
def test_a_slow_backend_gets_a_short_problem_and_a_fast_one_a_longer(
    seconds: tuple[float, ...], length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of the test's own: what it really takes is anybody's guess while other programs run."""
    clock = chain(seconds, repeat(1.0))
    monkeypatch.setattr(probe, "seconds_of", lambda *_: next(clock))
    assert probe_backend("chunked", CPU, repeats=1, long_enough_seconds=0.3).length == length


def test_what_only_a_gradient_gets_wrong_is_wrong_and_not_timed(table: Callable[..., str]) -> None:
    def gate_without_gradient(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
        constant = None if inputs.z is None else inputs.z.detach() + 0 * inputs.z
        return chunked.run(replace(inputs, z=constant))

    found = probe_backend(table(gate_without_gradient), CPU)
    assert (found.status, found.error, found.forward) == ("wrong", 1.0, None)
    assert found.reason == "gradient of z is off by 1.0e+00, allowed is 1e-04"


def test_a_wrong_output_is_found_whatever_part_it_is_in(table: Callable[..., str]) -> None:
    def last_token_off(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
        y, last_state = reference.run(inputs)
        off = torch.zeros_like(y)
        off[..., -1] = 0.01 * y.detach().abs().max()
        return y + off, last_state

    found = probe_backend(table(last_token_off), CPU)
    assert found.status == "wrong"
    assert "output is off by 1.0e-02" in (found.reason or "")


def test_nan_is_wrong(table: Callable[..., str]) -> None:
    found = probe_backend(table(lambda inputs: tuple(part * math.nan for part in reference.run(inputs))), CPU)
    assert (found.status, found.error) == ("wrong", None)
    assert "is not finite, allowed is 1e-04" in (found.reason or "")


def test_a_failure_is_one_line(table: Callable[..., str]) -> None:
    def no_compiler(_: ScanInputs) -> tuple[Tensor, Tensor]:
        raise RuntimeError("no C compiler\nand much more")

    found = probe_backend(table(no_compiler), CPU)
    assert (found.status, found.reason) == ("failed", "RuntimeError: no C compiler")


def test_who_cannot_run_is_not_tried(table: Callable[..., str]) -> None:
    found = probe_backend(table(lambda _: 1 / 0, "needs a GPU"), CPU)
    assert (found.status, found.reason) == ("unavailable", "needs a GPU")


def test_the_parity_problems_use_every_argument_with_groups_and_without() -> None:
    assert {problem.groups > 0 for problem in PARITY_PROBLEMS} == {True, False}
    assert {problem.bare for problem in PARITY_PROBLEMS} == {True, False}
    assert all(problem.length % 2 for problem in PARITY_PROBLEMS)


def test_draws_are_the_same_numbers_in_both_precisions() -> None:
    problem = Problem(2, 4, 3, 7, groups=2)
    single, double = draw(problem, device=CPU), draw(problem, device=CPU, dtype=torch.float64)
    assert single.keys() == double.keys()
    assert all(torch.equal(single[name].double(), double[name]) for name in single)
    assert single["B"].shape == (2, 2, 3, 7)


def test_parity_takes_another_truth_where_the_reference_is_too_slow() -> None:
    found = parity("chunked", Problem(1, 4, 16, 3001), CPU, truth="chunked")
    assert found.problem is None
    assert found.error > 0
    assert Parity(0.5, "last state").problem == "last state is off by 5.0e-01, allowed is 1e-04"


def test_calls_are_timed_in_turns_after_a_warm_up_of_each() -> None:
    order: list[str] = []
    times = time_calls({"A": lambda: order.append("A"), "B": lambda: order.append("B")}, CPU, repeats=3)
    assert "".join(order) == "AB" * 4
    assert times["A"].repeats == 3
