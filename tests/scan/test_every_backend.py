"""Every scan backend against the reference and the published numbers: outputs, last state and all gradients."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from tests.scan.drawn import SEQUENCES, TOLERANCES, Shape, draw, moved, results, where_it_runs, worst_error
from uumamba.core.errors import InputError
from uumamba.scan import BACKENDS, selective_scan

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "scan"
PARITY_FILES = ("l64_n8", "l257_n16_z", "long_decay", "grouped")
# The lengths are those around a chunk; all are small, since Triton's interpreter takes its time.
SHAPES: list[Shape] = [
    (1, 1, 1, 1, 0),
    (2, 3, 5, 2, 0),
    (1, 40, 4, 3, 0),
    (2, 6, 2, 9, 3),
    (1, 4, 3, 63, 0),
    (1, 8, 4, 64, 0),
    (1, 5, 16, 65, 1),
]


@pytest.fixture(autouse=True)
def _nan_in_fresh_memory() -> Iterator[None]:
    """Memory is given out full of NaN, so that an element nobody wrote is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        patch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
        torch.use_deterministic_algorithms(True)
        yield
        torch.use_deterministic_algorithms(False)


def test_the_walk_finds_backends() -> None:
    """The tests below walk over something, the truth included, and memory is as they want it."""
    assert {"reference", "chunked"} <= BACKENDS.keys()
    assert torch.empty(3).isnan().all()


@pytest.mark.parametrize("softplus", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_equals_reference(backend: str, shape: Shape, softplus: bool) -> None:
    """Same output, last state and gradients, odd sizes and groups included."""
    place = where_it_runs(backend)
    arguments = draw(shape)
    if not softplus:
        arguments["delta"] = arguments["delta"].detach().abs().add(1).requires_grad_()
        arguments["delta_bias"] = (0.1 * arguments["delta_bias"].detach()).requires_grad_()
    truth = results(arguments, "reference", judged=backend, softplus=softplus)
    assert worst_error(results(moved(arguments, *place), backend, softplus=softplus), truth) <= TOLERANCES[place[1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_chunks(backend: str) -> None:
    """A thousand steps, with channels over the end of a block; in Triton's interpreter five chunks, the last short."""
    place = where_it_runs(backend)
    is_interpreted = backend == "triton" and place[0].type == "cpu"
    arguments = draw((1, 5, 3, 300 if is_interpreted else 1000, 0))
    truth = results(arguments, "reference", judged=backend)
    assert worst_error(results(moved(arguments, *place), backend), truth) <= TOLERANCES[place[1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_exact_enough(backend: str) -> None:
    """Float32 arguments keep 1e-5 of the float64 truth."""
    place = where_it_runs(backend, torch.float32)
    arguments = draw((1, 8, 16, 201, 0))
    assert (
        worst_error(results(moved(arguments, *place), backend), results(arguments, "reference", judged=backend)) <= 1e-5
    )


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_keeps_a_float32_state(backend: str, half: torch.dtype) -> None:
    """Half-precision sequences with float32 parameters: only what is stored in half precision is rounded."""
    device, dtype = where_it_runs(backend, torch.float32)
    arguments = moved(draw((1, 6, 8, 70, 0)), device, dtype)
    for name in (*SEQUENCES, "B", "C"):
        arguments[name] = arguments[name].detach().to(half).requires_grad_()
    ours = results(arguments, backend)
    truth = results(moved(arguments, torch.device("cpu"), torch.float64), "reference", judged=backend)
    assert ours["last_state"].dtype == torch.float32
    assert all(
        ours[name].dtype == (arguments["u"] if name == "y" else arguments[name]).dtype
        for name in ours
        if name != "last_state"
    )
    exact = ("last_state", "A", "D", "delta_bias")
    assert worst_error({n: ours[n] for n in exact}, {n: truth[n] for n in exact}) <= 1e-5
    assert worst_error(ours, truth) <= torch.finfo(half).eps


def transposed(tensor: Tensor) -> Tensor:
    """Sequences and matrices with channels or states side by side in memory, as a Mamba block makes them."""
    return tensor if tensor.ndim == 1 else tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def strided(tensor: Tensor) -> Tensor:
    """Every other element of a larger tensor."""
    return torch.stack([tensor, torch.full_like(tensor, torch.nan)], dim=-1)[..., 0]


def expanded(tensor: Tensor) -> Tensor:
    """One batch element, or one entry of a parameter, standing for all."""
    return tensor[:1].expand_as(tensor)


@pytest.mark.parametrize("layout", [transposed, strided, expanded])
@pytest.mark.parametrize("shape", [(2, 4, 3, 19, 2), (1, 36, 16, 70, 2)], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_layout(backend: str, shape: Shape, layout: Callable[[Tensor], Tensor]) -> None:
    """Arguments need not be contiguous."""
    place = where_it_runs(backend)
    arguments = draw(shape)
    ours = results(moved(arguments, *place), backend, layout=layout)
    assert worst_error(ours, results(arguments, "reference", judged=backend, layout=layout)) <= TOLERANCES[place[1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_what_is_asked(backend: str) -> None:
    """Without D, z and bias, with gradients for some arguments only, it is the bare recurrence."""
    place = where_it_runs(backend)
    names = ("u", "delta", "A", "B", "C")
    bare = {name: tensor.detach() for name, tensor in draw((2, 4, 3, 25, 0)).items() if name in names}
    bare["delta"] = bare["delta"].abs()
    bare["B"].requires_grad_()
    ours, truth = {}, {}
    for outcome, arguments, name in ((ours, moved(bare, *place), backend), (truth, bare, "reference")):
        outcome["y"], outcome["last"] = selective_scan(**arguments, return_last_state=True, backend=name)
        for part in ("y",) if backend == "mamba_ssm" else ("y", "last"):
            (outcome[f"B of {part}"],) = torch.autograd.grad(outcome[part].sum(), arguments["B"], retain_graph=True)
    assert worst_error(ours, truth) <= TOLERANCES[place[1]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_is_a_cumulative_sum_without_decay(backend: str) -> None:
    """With A = 0 and delta = B = C = 1 the scan adds up its input."""
    device, dtype = where_it_runs(backend)
    u = torch.arange(70, dtype=dtype, device=device).view(1, 1, 70)
    ones = torch.ones_like(u)
    y = selective_scan(u, ones, torch.zeros(1, 1, device=device), ones, ones, backend=backend)
    assert torch.equal(y.cpu(), u.cpu().cumsum(-1))


@pytest.mark.parametrize("backend", BACKENDS)
def test_long_decay_stays_finite(backend: str) -> None:
    """Decays far below the smallest float give zeros, not NaN, forwards and backwards."""
    place = where_it_runs(backend, torch.float32)
    arguments = moved(draw((1, 4, 8, 150, 0)), *place)
    with torch.no_grad():
        arguments["delta"].mul_(40).abs_()
        arguments["A"].mul_(50)
    ours = results(arguments, backend)
    assert all(torch.isfinite(tensor).all() for tensor in ours.values())
    assert (
        worst_error(ours, results(moved(arguments, torch.device("cpu"), torch.float64), "reference", judged=backend))
        <= 1e-5
    )


@pytest.mark.parametrize("backend", BACKENDS)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 4), st.integers(2, 40), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_laws(backend: str, batch: int, channels: int, state: int, length: int, seed: int) -> None:
    """A batch equals its elements one by one; the past does not see the future; the scan is linear in u."""
    place = where_it_runs(backend)
    drawn = draw((batch, channels, state, length, 0), seed=seed)
    arguments = {name: tensor.detach() for name, tensor in moved(drawn, *place).items()}
    cut = seed % (length - 1) + 1

    def scan(**changed: Tensor) -> Tensor:
        return selective_scan(**{**arguments, **changed}, delta_softplus=True, backend=backend)

    whole = scan()
    alone = [scan(**{n: t[i : i + 1] for n, t in arguments.items() if t.ndim == 3}) for i in range(batch)]
    early = scan(**{name: t[..., :cut] for name, t in arguments.items() if t.ndim == 3})
    thrice, ones = scan(u=arguments["u"] * 3 + 1), scan(u=torch.ones_like(whole))
    ours = {"alone": torch.cat(alone), "early": early, "linear": thrice}
    assert worst_error(ours, {"alone": whole, "early": whole[..., :cut], "linear": 3 * whole + ones}) <= 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_by_finite_differences(backend: str) -> None:
    """torch's own check, independent of the reference."""
    place = where_it_runs(backend, torch.float64)
    arguments = moved(draw((1, 2, 2, 9, 0)), *place)

    def scan(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        named = dict(zip(arguments, tensors, strict=True))
        return selective_scan(**named, delta_softplus=True, return_last_state=True, backend=backend)

    assert torch.autograd.gradcheck(scan, tuple(arguments.values()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_does_not_lower_the_state(backend: str) -> None:
    """Under autocast the numbers are those without it, forwards and backwards."""
    place = where_it_runs(backend, torch.float32)
    arguments = moved(draw((1, 4, 8, 70, 0)), *place)
    with torch.autocast(place[0].type, dtype=torch.bfloat16):
        under = results(arguments, backend)
    assert worst_error(under, results(arguments, backend)) <= 0


@pytest.mark.parametrize("wanted", ["B", "z"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_is_differentiable_once_or_twice(backend: str, wanted: str) -> None:
    """The reference can be differentiated twice; for the others it is an error that names it, never a wrong number."""
    arguments = moved(draw((1, 2, 2, 10, 0)), *where_it_runs(backend))
    y = selective_scan(**arguments, delta_softplus=True, backend=backend)
    (gradient,) = torch.autograd.grad(y.square().sum(), [arguments["B"]], create_graph=True)
    if backend == "reference":
        (second,) = torch.autograd.grad(gradient.sum(), [arguments[wanted]])
        assert second.abs().max() > 0
        return
    message = f"'{backend}' is differentiable once, got a second differentiation; use backend='reference'"
    with pytest.raises(InputError, match=message):
        torch.autograd.grad(gradient.sum(), [arguments[wanted]], retain_graph=True)
    with pytest.raises(InputError, match=message):
        (gradient.sum() + y.sum()).backward()


@pytest.mark.parametrize("name", PARITY_FILES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_published_numbers(backend: str, name: str) -> None:
    """mamba_ssm 2.3's scan in float64: output, last state and every gradient."""
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    place = where_it_runs(backend)
    stored = load_file(path)
    names = [name for name in ("u", "delta", "A", "B", "C", "D", "z", "delta_bias") if name in stored]
    arguments = moved({name: stored[name].requires_grad_() for name in names}, *place)
    y, last_state = selective_scan(**arguments, delta_softplus=True, return_last_state=True, backend=backend)
    y.backward(stored["grad_out"].to(y))
    ours = {"out": y.detach(), "last_state": last_state.detach()}
    ours.update({f"grad/{name}": tensor.grad for name, tensor in arguments.items() if tensor.grad is not None})
    assert worst_error(ours, {name: stored[name] for name in ours}) <= 10 * TOLERANCES[place[1]]
    assert len(ours) == 2 + len(names)
