"""The adapter to the published kernel, as far as it goes without one: what it refuses, and what it hands over."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.scan.drawn import draw
from uumamba.core.errors import InputError
from uumamba.scan import mamba_ssm, reference
from uumamba.scan.inputs import ScanInputs

CUDA = torch.device("cuda")


def inputs(**changed: torch.Tensor) -> ScanInputs:
    """A small scan in float32, with changes."""
    arguments = {name: tensor.detach().float() for name, tensor in draw((2, 4, 3, 5, 0)).items()}
    return ScanInputs(**{**arguments, **changed}, delta_softplus=True).checked()


def test_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing, and how the kernel is had."""
    assert mamba_ssm.why_not(torch.device("cpu"), torch.float32) == "it needs a CUDA device, got cpu"
    assert mamba_ssm.why_not(CUDA, torch.float64) == "its state is torch.float32, got torch.float64"
    monkeypatch.setattr(mamba_ssm, "find_spec", {"mamba_ssm": "found"}.get)
    reason = mamba_ssm.why_not(CUDA, torch.float32)
    assert reason is not None
    assert "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation mamba-ssm" in reason
    monkeypatch.setattr(mamba_ssm, "find_spec", str)
    assert mamba_ssm.why_not(CUDA, torch.float32) is None


def test_limits_of_the_kernel() -> None:
    """Too many states and too large tensors are refused before anything runs, with a way out."""
    row, matrix = torch.ones(1).expand(1, 4, 5), torch.ones(1).expand(1, 257, 5)
    states = ScanInputs(row, row, torch.ones(4, 257), matrix, matrix, None, None, None, False).checked()
    with pytest.raises(InputError, match="takes at most 256 states, got 257; use triton or chunked"):
        mamba_ssm.run(states)
    row, matrix = torch.ones(1).expand(2, 4, 2**28), torch.ones(1).expand(2, 1, 2**28)
    large = ScanInputs(row, row, torch.ones(4, 1), matrix, matrix, None, None, None, False).checked()
    with pytest.raises(InputError, match=r"fewer than 2\^31 elements, got u with 2147483648; use triton or chunked"):
        mamba_ssm.run(large)


def test_what_the_kernel_receives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences in one precision, parameters in float32; the last state gives no gradient, and says so."""
    received: dict[str, Any] = {}

    def selective_scan_fn(**arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        received.update(arguments)
        assert arguments.pop("return_last_state") is True
        return reference.run(ScanInputs(**arguments))

    interface = ModuleType("mamba_ssm.ops.selective_scan_interface")
    vars(interface)["selective_scan_fn"] = selective_scan_fn
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    plain = inputs()
    half = inputs(
        u=plain.u.bfloat16(), delta=plain.delta.bfloat16(), B=plain.B.bfloat16(), A=plain.A.bfloat16().requires_grad_()
    )
    y, last_state = mamba_ssm.run(half)
    assert {received[name].dtype for name in ("u", "delta", "B", "C", "z", "A", "D", "delta_bias")} == {torch.float32}
    y.sum().backward(retain_graph=True)
    assert half.A.grad is not None
    with pytest.raises(InputError, match="has no gradient of the last state; use triton or chunked"):
        last_state.sum().backward()
    changed = {name: plain.tensors()[name].bfloat16() for name in ("u", "delta", "B", "C", "z")}
    mamba_ssm.run(inputs(**changed))
    assert {received[name].dtype for name in changed} == {torch.bfloat16}
    assert received["A"].dtype == torch.float32
