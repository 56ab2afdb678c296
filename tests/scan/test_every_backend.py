"""Every scan backend against the reference and the published numbers: outputs, last state and all gradients."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from uumamba.scan import BACKENDS, selective_scan

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "scan"
PARITY_FILES = ("l64_n8", "l257_n16_z", "long_decay", "grouped")
# batch, channels, state, length, groups (0: B and C without a group axis); the last has several blocks in a chunk
SHAPES = [
    (1, 1, 1, 1, 0),
    (2, 3, 5, 2, 0),
    (1, 4, 16, 97, 0),
    (3, 6, 2, 31, 3),
    (2, 8, 4, 263, 2),
    (1, 2, 3, 1009, 1),
    (2, 16, 16, 1501, 0),
]


def draw(shape: tuple[int, int, int, int, int], *, seed: int = 0) -> dict[str, Tensor]:
    """All tensor arguments of a scan, float64, with gradients."""
    batch, channels, state, length, groups = shape
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    matrix = (batch, groups, state, length) if groups else (batch, state, length)
    arguments = {
        "u": normal(batch, channels, length),
        "delta": normal(batch, channels, length),
        "A": -torch.exp(normal(channels, state)),
        "B": normal(*matrix),
        "C": normal(*matrix),
        "D": normal(channels),
        "z": normal(batch, channels, length),
        "delta_bias": normal(channels),
    }
    return {name: tensor.requires_grad_() for name, tensor in arguments.items()}


def in_dtype(arguments: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The same arguments in another precision, as new leaves."""
    return {name: tensor.detach().to(dtype).requires_grad_() for name, tensor in arguments.items()}


def results(arguments: dict[str, Tensor], backend: str, *, softplus: bool = True) -> dict[str, Tensor]:
    """Output, last state, and the gradient of every argument by name."""
    y, last_state = selective_scan(**arguments, delta_softplus=softplus, return_last_state=True, backend=backend)
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    loss = (y * weights).sum() + last_state.square().sum()
    gradients = torch.autograd.grad(loss, list(arguments.values()))
    return {"y": y.detach(), "last_state": last_state.detach(), **dict(zip(arguments, gradients, strict=True))}


def worst_error(ours: dict[str, Tensor], truth: dict[str, Tensor]) -> float:
    """The largest error of any tensor, relative to the largest entry of its truth."""
    assert ours.keys() == truth.keys()
    errors = [
        (ours[name].double() - expected.double()).abs().max() / expected.abs().max().clamp(min=1e-12)
        for name, expected in truth.items()
    ]
    return float(torch.stack(errors).max().detach())


def test_the_walk_finds_backends() -> None:
    """The tests below walk over something, the truth included."""
    assert {"reference", "chunked"} <= BACKENDS.keys()


@pytest.mark.parametrize("softplus", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_equals_reference(backend: str, shape: tuple[int, int, int, int, int], softplus: bool) -> None:
    """Same output, last state and gradients in float64, odd sizes and groups included."""
    arguments = draw(shape)
    if not softplus:
        arguments["delta"] = arguments["delta"].detach().abs().add(1).requires_grad_()
        arguments["delta_bias"] = (0.1 * arguments["delta_bias"].detach()).requires_grad_()
    assert (
        worst_error(results(arguments, backend, softplus=softplus), results(arguments, "reference", softplus=softplus))
        <= 1e-11
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_exact_enough(backend: str) -> None:
    """Float32 arguments keep 1e-5 of the float64 truth."""
    arguments = draw((2, 8, 16, 401, 0))
    assert worst_error(results(in_dtype(arguments, torch.float32), backend), results(arguments, "reference")) <= 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_what_is_asked(backend: str) -> None:
    """Without D, z and bias, with gradients for some arguments only, it is the bare recurrence."""
    names = ("u", "delta", "A", "B", "C")
    arguments = {name: tensor.detach() for name, tensor in draw((2, 4, 3, 50, 0)).items() if name in names}
    arguments["delta"] = arguments["delta"].abs()
    arguments["B"].requires_grad_()
    y = selective_scan(**arguments, backend=backend)
    truth = selective_scan(**arguments, backend="reference")
    (gradient,) = torch.autograd.grad(y.sum(), [arguments["B"]])
    (expected,) = torch.autograd.grad(truth.sum(), [arguments["B"]])
    assert worst_error({"y": y, "B": gradient}, {"y": truth, "B": expected}) <= 1e-12


@pytest.mark.parametrize("backend", BACKENDS)
def test_is_a_cumulative_sum_without_decay(backend: str) -> None:
    """With A = 0 and delta = B = C = 1 the scan adds up its input."""
    u = torch.arange(70, dtype=torch.float64).view(1, 1, 70)
    ones = torch.ones_like(u)
    y = selective_scan(u, ones, torch.zeros(1, 1), ones, ones, backend=backend)
    assert torch.equal(y, u.cumsum(-1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_long_decay_stays_finite(backend: str) -> None:
    """Decays far below the smallest float give zeros, not NaN, forwards and backwards."""
    arguments = in_dtype(draw((1, 4, 8, 700, 0)), torch.float32)
    with torch.no_grad():
        arguments["delta"].mul_(40).abs_()
        arguments["A"].mul_(50)
    ours = results(arguments, backend)
    assert all(torch.isfinite(tensor).all() for tensor in ours.values())
    assert worst_error(ours, results(in_dtype(arguments, torch.float64), "reference")) <= 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(2, 80), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_laws(backend: str, batch: int, channels: int, state: int, length: int, seed: int) -> None:
    """A batch equals its elements one by one; the past does not see the future; the scan is linear in u."""
    arguments = {name: tensor.detach() for name, tensor in draw((batch, channels, state, length, 0), seed=seed).items()}
    cut = seed % (length - 1) + 1

    def scan(**changed: Tensor) -> Tensor:
        return selective_scan(**{**arguments, **changed}, delta_softplus=True, backend=backend)

    whole = scan()
    alone = [scan(**{n: t[i : i + 1] for n, t in arguments.items() if t.ndim == 3}) for i in range(batch)]
    torch.testing.assert_close(torch.cat(alone), whole)
    early = scan(**{name: t[..., :cut] for name, t in arguments.items() if t.ndim == 3})
    torch.testing.assert_close(early, whole[..., :cut])
    torch.testing.assert_close(scan(u=arguments["u"] * 3 + 1), 3 * whole + scan(u=torch.ones_like(whole)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_by_finite_differences(backend: str) -> None:
    """torch's own check, independent of the reference."""
    arguments = draw((1, 2, 2, 9, 0))

    def scan(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(arguments, tensors, strict=True))
        return selective_scan(**named, delta_softplus=True, return_last_state=True, backend=backend)

    assert torch.autograd.gradcheck(scan, tuple(arguments.values()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_does_not_lower_the_state(backend: str) -> None:
    """Under autocast the numbers are those without it; half-precision arguments keep a float32 state."""
    arguments = in_dtype(draw((1, 4, 8, 300, 0)), torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = results(arguments, backend)
    assert worst_error(under, results(arguments, backend)) <= 0
    half = in_dtype(arguments, torch.bfloat16)
    y, last_state = selective_scan(**half, delta_softplus=True, return_last_state=True, backend=backend)
    assert (y.dtype, last_state.dtype) == (torch.bfloat16, torch.float32)
    y.float().sum().backward()
    assert all(tensor.grad is not None and tensor.grad.dtype == torch.bfloat16 for tensor in half.values())


def test_double_backward_is_refused() -> None:
    """The chunked scan is differentiable once; asking for more is an error, never a wrong number."""
    arguments = draw((1, 2, 2, 40, 0))
    y = selective_scan(**arguments, delta_softplus=True, backend="chunked")
    (gradient,) = torch.autograd.grad(y.sum(), [arguments["B"]], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


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


def test_chunked_never_holds_all_states() -> None:
    """Forwards and backwards, no tensor comes near the (batch, channels, length, state) one."""
    shape = (1, 32, 16, 8_000, 0)
    arguments = in_dtype(draw(shape), torch.float32)
    with _LargestTensor() as seen:
        results(arguments, "chunked")
    assert 0 < seen.elements < math.prod(shape[:4]) / 4


@pytest.mark.parametrize("name", PARITY_FILES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_published_numbers(backend: str, name: str) -> None:
    """mamba_ssm 2.3's scan in float64: output, last state and every gradient."""
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    stored = load_file(path)
    names = [name for name in ("u", "delta", "A", "B", "C", "D", "z", "delta_bias") if name in stored]
    arguments = {name: stored[name].requires_grad_() for name in names}
    y, last_state = selective_scan(**arguments, delta_softplus=True, return_last_state=True, backend=backend)
    y.backward(stored["grad_out"])
    ours = {"out": y.detach(), "last_state": last_state.detach()}
    ours.update({f"grad/{name}": tensor.grad for name, tensor in arguments.items() if tensor.grad is not None})
    assert worst_error(ours, {name: stored[name] for name in ours}) <= 1e-10
    assert len(ours) == 2 + len(names)
