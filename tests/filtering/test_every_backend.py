"""Every backend of the adaptive filter against the plain torch one in float64: output and both gradients."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tests.filtering.drawn import CASES, Case, where_it_runs, worst_error
from uumamba.core.errors import InputError
from uumamba.filtering import BACKENDS

# Beside the small ones: rows longer than a vector, channels that are no multiple of four, every scale.
WALKED = [
    *CASES,
    Case(1, 5, 1, (3, 70), (3, 5), (1, 1)),
    Case(1, 7, 1, (9, 67), (5, 5), (2, 2), "reflect"),
    Case(2, 6, 3, (3, 9, 33), (1, 5, 5), (1, 2, 2), "reflect"),
    Case(1, 9, 1, (3, 5, 40), (5, 5, 5), (1, 1, 1)),
]
TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-6}


@pytest.fixture(autouse=True)
def _nan_in_fresh_memory() -> Iterator[None]:
    """Memory is given out full of NaN, so that an element nobody wrote is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        patch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
        torch.use_deterministic_algorithms(True, warn_only=True)  # reflect has no such gradient on a GPU
        yield
        torch.use_deterministic_algorithms(False)


def test_the_walk_finds_backends() -> None:
    """The tests below walk over something, the truth included, and memory is as they want it."""
    assert {"cpu", "taps"} <= BACKENDS.keys()
    assert torch.empty(3).isnan().all()


@pytest.mark.parametrize("case", WALKED, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_equals_the_truth(backend: str, case: Case) -> None:
    """Odd sizes, groups, two and three axes, every scale."""
    device, dtype = where_it_runs(backend)
    tensors = [tensor.detach().to(device, dtype).requires_grad_() for tensor in case.draw()]
    assert worst_error(case.results(*tensors, backend), case.results(*case.draw())) <= TOLERANCES[dtype]


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(lambda t: t.transpose(1, 2).contiguous().transpose(1, 2), id="channels inside"),
        pytest.param(lambda t: torch.stack([t, t], -1)[..., 0], id="strided"),
        pytest.param(lambda t: t[:, :1].expand_as(t), id="expanded"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_memory_layout(backend: str, layout: Callable[[Tensor], Tensor]) -> None:
    """The same bits as with contiguous tensors, also for the gradient that comes in."""
    device, dtype = where_it_runs(backend)
    case = Case(2, 4, 2, (5, 18), (3, 3), (1, 2))
    tensors = [tensor.detach().to(device, dtype) for tensor in case.draw()]

    def results(lay: Callable[[Tensor], Tensor]) -> list[Tensor]:
        x, kernels = (lay(layout(tensor)).requires_grad_() for tensor in tensors)
        out = case.filter(x, kernels, backend)
        return [out.detach(), *torch.autograd.grad(out, [x, kernels], lay(layout(out.detach())))]

    pairs = zip(results(lambda t: t), results(lambda t: t.contiguous()), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_is_summed_in_float32(backend: str, dtype: torch.dtype) -> None:
    """Results are those of float64 rounded once; each gradient has its tensor's precision."""
    device, _ = where_it_runs(backend, torch.float32)
    case = Case(1, 6, 2, (8, 35), (5, 5), (2, 2))
    x, kernels = (tensor.detach().to(device, dtype).requires_grad_() for tensor in case.draw())
    exact = [tensor.detach().cpu().double().requires_grad_() for tensor in (x, kernels)]
    for ours, theirs in zip(case.results(x, kernels, backend), case.results(*exact), strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.cpu().double(), theirs, rtol=torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_kernels_on_a_half_map_under_autocast(backend: str) -> None:
    """As a network under autocast has them; the numbers are those without autocast."""
    device, _ = where_it_runs(backend, torch.float32)
    case = Case(1, 4, 1, (6, 8), (3, 3), (2, 2))
    x, kernels = (tensor.detach().to(device, torch.float32) for tensor in case.draw())
    tensors = x.bfloat16().requires_grad_(), kernels.requires_grad_()
    with torch.autocast(device.type, dtype=torch.bfloat16):
        under = case.results(*tensors, backend)
    assert [tensor.dtype for tensor in under] == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert all(torch.equal(a, b) for a, b in zip(under, case.results(*tensors, backend), strict=True))


@pytest.mark.parametrize("wanted", [(True, False), (False, True)], ids=["map alone", "kernels alone"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_only_the_gradient_that_is_wanted(
    backend: str, wanted: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bits as beside the other; the other is not computed."""
    device, dtype = where_it_runs(backend)
    case = Case(1, 4, 2, (5, 18), (3, 3), (2, 2))
    tensors = [tensor.detach().to(device, dtype).requires_grad_() for tensor in case.draw()]
    both = case.results(*tensors, backend)[1:]
    given: list[tuple[Tensor | None, Tensor | None]] = []
    backward = BACKENDS[backend].backward
    monkeypatch.setattr(BACKENDS[backend], "backward", lambda *a: given.append(backward(*a)) or given[-1])
    leaves = [tensor.detach().requires_grad_(want) for tensor, want in zip(tensors, wanted, strict=True)]
    out = case.filter(*leaves, backend)
    (alone,) = torch.autograd.grad(out, [leaf for leaf in leaves if leaf.requires_grad], torch.ones_like(out))
    (ones,) = torch.autograd.grad(case.filter(*tensors, backend), [tensors[wanted.index(True)]], torch.ones_like(out))
    assert torch.equal(alone, ones)
    assert [gradient is not None for gradient in given[0]] == list(wanted)
    assert all(gradient is not None for gradient in both)


@pytest.mark.parametrize("backend", BACKENDS)
def test_laws(backend: str) -> None:
    """A batch equals its elements one by one; the middle tap alone copies; the filter is linear in the map."""
    device, dtype = where_it_runs(backend)
    case = Case(3, 4, 2, (6, 21), (3, 5), (2, 2), "reflect")
    x, kernels = (tensor.detach().to(device, dtype) for tensor in case.draw())
    whole = case.filter(x, kernels, backend)
    alone = [case.filter(x[i : i + 1], kernels[i : i + 1], backend) for i in range(case.batch)]
    assert torch.equal(whole, torch.cat(alone))
    middle = torch.zeros_like(kernels)
    middle[:, 7::15] = 1
    copied = case.filter(x, middle, backend)
    assert torch.equal(copied, x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :6, :21])
    thrice, ones = case.filter(x * 3 + 1, kernels, backend), case.filter(torch.ones_like(x), kernels, backend)
    assert worst_error([thrice], [3 * whole + ones]) <= 1e-5


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_is_not_hidden(backend: str, place: int) -> None:
    """A NaN in either tensor reaches the output and the other's gradient."""
    device, dtype = where_it_runs(backend)
    case = Case(1, 4, 1, (5, 18), (3, 3), (1, 1))
    tensors = [tensor.detach().to(device, dtype) for tensor in case.draw()]
    tensors[place][0, 0, 2, 2] = torch.nan
    results = case.results(*(tensor.requires_grad_() for tensor in tensors), backend)
    assert results[0].isnan().any()
    assert results[2 - place].isnan().any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_is_differentiable_once(backend: str) -> None:
    """An error, never a wrong number."""
    device, dtype = where_it_runs(backend)
    x, kernels = (tensor.detach().to(device, dtype).requires_grad_() for tensor in CASES[0].draw())
    message = "differentiable once, got a gradient with create_graph=True; leave that out"
    with pytest.raises(InputError, match=message):
        torch.autograd.grad(CASES[0].filter(x, kernels, backend).sum(), [x], create_graph=True)
