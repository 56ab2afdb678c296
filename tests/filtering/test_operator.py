"""Choosing a backend, precisions, and what the filter says about arguments that do not fit."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch

from tests.filtering.drawn import Case
from uumamba.core.errors import ConfigError, InputError
from uumamba.filtering import BACKENDS, FilterBackend, adaptive_filter, resolve_backend

CPU = torch.device("cpu")


def arguments(**changed: Any) -> dict[str, Any]:
    """A small valid call, with changes."""
    valid = {"x": torch.ones(2, 6, 3, 4), "kernels": torch.ones(2, 18, 5, 8), "kernel_size": (3, 3), "scale": (2, 2)}
    return valid | changed


def refusing(reason: str | None) -> Any:
    """A backend that runs nowhere for that reason, or everywhere."""
    return SimpleNamespace(why_not=lambda *_: reason)


def test_auto_is_resolved_to_a_name() -> None:
    """Whatever is asked for, torch can do it."""
    assert resolve_backend("auto", device=CPU) == "cpu"
    assert resolve_backend("auto", device=CPU, dtype=torch.float64) == "taps"
    assert resolve_backend("taps", device=torch.device("meta")) == "taps"


def test_a_backend_that_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A named backend is used or refused with its reason."""
    monkeypatch.setitem(BACKENDS, "fast", refusing("it needs a fast card"))
    message = "filter backend: 'fast' cannot run on cpu with torch.float32: it needs a fast card; choose auto"
    with pytest.raises(ConfigError, match=message):
        adaptive_filter(**arguments(), backend="fast")


def test_unknown_backend() -> None:
    """An unknown backend is refused with the list of known ones."""
    message = f"filter backend: unknown 'fast'; choose auto or one of {', '.join(BACKENDS)}"
    with pytest.raises(ConfigError, match=message):
        adaptive_filter(**arguments(), backend="fast")


def test_settings_name_every_backend() -> None:
    """The choices of a setting are the table's."""
    assert get_args(FilterBackend) == ("auto", *BACKENDS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": torch.ones(6, 3, 4)}, r"x must be \(batch, .*got x \(6, 3, 4\), kernels \(2, 18, 5, 8\)"),
        ({"x": torch.ones(2, 6, 1, 3, 4)}, "with the same two or three spatial axes"),
        ({"x": torch.ones(2, 6, 3, 0)}, "none of them 0"),
        ({"kernels": torch.ones(2, 18, 0, 8)}, "none of them 0"),
        ({"kernel_size": (3, 2)}, r"kernel_size must be one odd whole number, .* 2 axes, got \(3, 2\)"),
        ({"kernel_size": (3, -1)}, "kernel_size must be one odd whole number, at least 1"),
        ({"kernel_size": (3, 3, 3)}, r"for each of 2 axes, got \(3, 3, 3\)"),
        ({"scale": (2, 0)}, r"scale must be one whole number, at least 1, for each of 2 axes, got \(2, 0\)"),
        ({"scale": (2.0, 2)}, r"scale must be one whole number, .* got \(2.0, 2\)"),
        ({"scale": (2,)}, r"got \(2,\)"),
        ({"kernels": torch.ones(2, 17, 5, 8)}, r"groups x 9 taps of kernel_size \(3, 3\).*kernels \(2, 17, 5, 8\)"),
        ({"kernels": torch.ones(2, 8, 5, 8)}, "groups x 9 taps"),
        ({"kernels": torch.ones(2, 36, 5, 8), "x": torch.ones(2, 5, 3, 4)}, "groups dividing the channels of x"),
        ({"kernels": torch.ones(1, 18, 5, 8)}, r"x must have batch 1 and size \(3, 4\)"),
        ({"kernels": torch.ones(2, 18, 7, 8)}, r"at scale \(2, 2\) x must have batch 2 and size \(4, 4\); got x"),
        ({"padding": "same"}, "padding must be one of zeros, reflect, got 'same'"),
        (
            {"kernel_size": (7, 1), "kernels": torch.ones(2, 7, 5, 8), "padding": "reflect"},
            r"'reflect' needs more elements on an axis than half of kernel_size \(7, 1\), got x of size \(3, 4\); use",
        ),
        (
            {"kernels": torch.ones(2, 18, 5, 8).int()},
            "kernels must be real floating point, got torch.int32",
        ),
        ({"kernels": torch.ones(2, 18, 5, 8, device="meta")}, "x is on cpu, but kernels on meta"),
    ],
)
def test_wrong_arguments(changed: dict[str, Any], message: str) -> None:
    """The error names the argument, what it must be and what came, in one line."""
    with pytest.raises(InputError, match=message) as caught:
        adaptive_filter(**arguments(**changed))
    assert "\n" not in str(caught.value)


def test_a_mirrored_border_in_half_precision() -> None:
    """As exact as half precision allows: what comes back from the border is rounded before it is added."""
    case = Case(1, 4, 2, (8, 9), (5, 5), (2, 2), "reflect")
    x, kernels = case.draw(torch.bfloat16)
    exact = [tensor.detach().double().requires_grad_() for tensor in (x, kernels)]
    for ours, theirs in zip(case.results(x, kernels), case.results(*exact), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=2**-7, atol=2**-4)


def test_importing_the_filter_imports_no_compiler() -> None:
    """What only one backend needs is imported when it runs."""
    script = "import sys, uumamba.filtering; print(*sorted(name for name in sys.modules if '.' not in name))"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert {"torch", "uumamba"} <= loaded
    assert not loaded & {"triton", "numba"}
