"""The plain torch backend against the definition, and its laws."""

from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tests.filtering.drawn import CASES, Case, quarters, truth


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_the_definition(case: Case) -> None:
    """Place by place, tap by tap."""
    x, kernels = (tensor.detach() for tensor in case.draw())
    torch.testing.assert_close(case.filter(x, kernels), truth(case, x, kernels), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_by_finite_differences(case: Case) -> None:
    """Both gradients, together and each alone."""
    x, kernels = case.draw()
    assert torch.autograd.gradcheck(case.filter, (x, kernels), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: case.filter(x, kernels.detach()), (x,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda kernels: case.filter(x.detach(), kernels), (kernels,), fast_mode=True)


def test_every_element_of_the_gradients() -> None:
    """torch's slow check, once."""
    case = Case(1, 2, 1, (1, 3, 5), (1, 3, 3), (1, 2, 2), "reflect")
    assert torch.autograd.gradcheck(case.filter, case.draw())


def test_is_unfold_in_two_dimensions() -> None:
    """Output and gradients of torch's own unfold, on the nearest map."""
    case = Case(2, 6, 1, (8, 12), (5, 3), (2, 2))
    x, kernels = case.draw()
    columns = functional.unfold(x, case.kernel_size, padding=(2, 1)).unflatten(2, (4, 6)).unflatten(1, (6, 15))
    near = columns.repeat_interleave(2, 3).repeat_interleave(2, 4)
    out = (near * kernels.unsqueeze(1)).sum(2)
    expected = (out, *torch.autograd.grad(out, [x, kernels], quarters(out)))
    for ours, theirs in zip(case.results(x, kernels), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in CASES if case.padding == "reflect"], ids=str)
def test_a_constant_map_stays_constant(case: Case) -> None:
    """With kernels that sum to 1 and a mirrored border."""
    x, kernels = case.draw()
    weights = kernels.unflatten(1, (case.groups, -1)).softmax(2).flatten(1, 2)
    out = case.filter(torch.full_like(x, 3.5), weights)
    torch.testing.assert_close(out, torch.full_like(out, 3.5))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_middle_tap_alone_is_nearest_upsampling(case: Case) -> None:
    """Exactly, whatever the sizes."""
    x, kernels = case.draw()
    middle = torch.zeros_like(kernels).unflatten(1, (case.groups, -1))
    middle[:, :, prod(case.kernel_size) // 2] = 1
    for axis, step in enumerate(case.scale, start=2):
        x = x.repeat_interleave(step, axis).narrow(axis, 0, case.high[axis - 2])
    assert torch.equal(case.filter(case.draw()[0], middle.flatten(1, 2)), x)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_linear_in_both(case: Case) -> None:
    (x, kernels), (y, others) = case.draw(seed=1), case.draw(seed=2)
    whole = case.filter(2 * x - y, kernels + 3 * others)
    parts = [a * b * case.filter(f, k) for a, f in ((2, x), (-1, y)) for b, k in ((1, kernels), (3, others))]
    torch.testing.assert_close(whole, torch.stack(parts).sum(0))


@pytest.mark.parametrize("case", [case for case in CASES if case.batch > 1], ids=str)
def test_a_batch_equals_its_elements_one_by_one(case: Case) -> None:
    x, kernels = case.draw()
    alone = [case.filter(x[i : i + 1], kernels[i : i + 1]) for i in range(case.batch)]
    assert torch.equal(case.filter(x, kernels), torch.cat(alone))


class _LargestTensor(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operation gave."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = result if isinstance(result, tuple | list) else [result]
        self.elements = max([self.elements, *(t.numel() for t in given if isinstance(t, Tensor))])
        return result


def test_memory_does_not_grow_with_the_taps() -> None:
    """No tensor, forwards and backwards, is much larger than the output; and only the arguments are kept."""
    case = Case(1, 64, 1, (40, 40), (7, 7), (2, 2))
    x, kernels = case.draw(torch.float32)
    kept: list[Tensor] = []
    with (
        _LargestTensor() as seen,
        torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t),
    ):
        case.results(x, kernels)
    assert 64 * 40 * 40 <= seen.elements < 2 * 64 * 40 * 40
    assert sorted(tensor.numel() for tensor in kept) == [64 * 26 * 26, 49 * 40 * 40]
