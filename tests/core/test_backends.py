"""Which backend of a table runs; that scan and filter use it is tested with them."""

import logging
import types

import pytest
import torch

from uumamba.core import backends
from uumamba.core.backends import BackendChoice, why_not_by_triton
from uumamba.core.errors import ConfigError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def module(name: str, reason: str | None) -> types.ModuleType:
    """A backend that runs, or does not for this reason."""
    made = types.ModuleType(name)
    made.__dict__["why_not"] = lambda _device, _dtype: reason
    return made


TABLE = {"fast": module("fast", "it needs a fast card"), "fine": module("fine", None), "slow": module("slow", None)}


def test_auto_says_once_what_it_took(caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log for each kind of device and precision: the choice, and why not the ones before it."""
    choice = BackendChoice("test", TABLE)
    with caplog.at_level(logging.INFO, logger="uumamba"):
        for index in (0, 1, 1):
            assert choice.resolve("auto", device=torch.device("meta", index), dtype=torch.float32) == "fine"
        assert choice.resolve("auto", device=torch.device("meta"), dtype=torch.float64) == "fine"
    assert caplog.messages == [
        f"test backend on meta with {dtype}: fine; not fast: it needs a fast card"
        for dtype in (torch.float32, torch.float64)
    ]


def test_a_name_is_used_or_refused() -> None:
    choice = BackendChoice("test", TABLE)
    assert choice.resolve("slow", device=CPU, dtype=torch.float32) == "slow"
    message = "test backend: 'fast' cannot run on cpu with torch.float32: it needs a fast card; choose auto"
    with pytest.raises(ConfigError, match=message):
        choice.resolve("fast", device=CPU, dtype=torch.float32)
    with pytest.raises(ConfigError, match="test backend: unknown 'x'; choose auto or one of fast, fine, slow"):
        choice.resolve("x", device=CPU, dtype=torch.float32)


def test_where_triton_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing; on a CPU it runs in Triton's interpreter alone."""
    monkeypatch.setattr(backends, "find_spec", str)
    assert why_not_by_triton(CUDA, torch.float32) is None
    assert why_not_by_triton(CUDA, torch.float64) == "it computes in torch.float32, not in torch.float64"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert why_not_by_triton(CPU, torch.float32) is None
    monkeypatch.delenv("TRITON_INTERPRET")
    assert why_not_by_triton(CPU, torch.float32) == "it needs a CUDA or ROCm device, got cpu"
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    assert why_not_by_triton(CUDA, torch.float32) == "triton is not installed; pip install triton, on Linux"
