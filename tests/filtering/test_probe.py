"""The probe tells a right backend from a wrong one, and from one whose numbers are not finite."""

import math
from types import SimpleNamespace

import pytest
import torch

from uumamba.filtering import BACKENDS, taps
from uumamba.filtering.probe import worst_error

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["cpu", "taps"])
def test_a_right_backend(name: str) -> None:
    assert 0 < worst_error(name, CPU) < 1e-5


@pytest.mark.parametrize(("factor", "error"), [(1.5, pytest.approx(0.5, rel=1e-4)), (math.nan, math.inf)])
def test_a_wrong_backend(factor: float, error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    own = SimpleNamespace(why_not=lambda *_: None, forward=lambda *a: factor * taps.forward(*a), backward=taps.backward)
    monkeypatch.setitem(BACKENDS, "own", own)
    assert worst_error("own", CPU) == error
