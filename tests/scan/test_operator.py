"""Choosing a backend, and what the scan says about arguments that do not fit."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch

from uumamba.core.errors import ConfigError, InputError
from uumamba.scan import BACKENDS, ScanBackend, resolve_backend, selective_scan

CPU = torch.device("cpu")


def arguments(**changed: Any) -> dict[str, Any]:
    """A small valid call, with changes."""
    sequence, matrix = torch.ones(2, 6, 5), torch.ones(2, 3, 5)
    return {"u": sequence, "delta": sequence, "A": -torch.ones(6, 3), "B": matrix, "C": matrix, **changed}


def refusing(reason: str | None) -> Any:
    """A backend that runs nowhere for that reason, or everywhere."""
    return SimpleNamespace(why_not=lambda *_: reason)


def test_auto_is_resolved_to_a_name() -> None:
    """The run record can name what runs; float64 on a CPU is for torch alone."""
    assert resolve_backend("auto", device=CPU) in BACKENDS
    assert resolve_backend("auto", device=CPU, dtype=torch.float64) == "chunked"
    assert resolve_backend("reference", device=CPU, dtype=torch.float64) == "reference"


def test_a_backend_that_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A named backend is used or refused with its reason."""
    monkeypatch.setitem(BACKENDS, "fast", refusing("it needs a fast card"))
    message = "scan backend: 'fast' cannot run on cpu with torch.float32: it needs a fast card; choose auto"
    with pytest.raises(ConfigError, match=message):
        selective_scan(**arguments(), backend="fast")


def test_settings_name_every_backend() -> None:
    """The choices of a setting are the table's."""
    assert get_args(ScanBackend) == ("auto", *BACKENDS)


def test_unknown_backend() -> None:
    """An unknown backend is refused with the list of known ones."""
    message = f"scan backend: unknown 'fast'; choose auto or one of {', '.join(BACKENDS)}"
    with pytest.raises(ConfigError, match=message):
        resolve_backend("fast", device=CPU)
    with pytest.raises(ConfigError, match=message):
        selective_scan(**arguments(), backend="fast")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"u": torch.ones(6, 5)}, r"u must be \(batch, channels, length\), A.*got u \(6, 5\), A \(6, 3\)"),
        ({"u": torch.ones(2, 6, 0)}, r"none of them 0.*got u \(2, 6, 0\)"),
        ({"u": torch.ones(0, 6, 5)}, r"none of them 0.*got u \(0, 6, 5\)"),
        ({"A": torch.ones(6, 0)}, r"none of them 0.*A \(6, 0\)"),
        ({"B": torch.ones(5)}, r"B must have shape \(2, 1, 3, 5\), got \(5,\)"),
        ({"A": torch.ones(6)}, r"A \(channels, state\), and none of them 0; got u \(2, 6, 5\), A \(6,\)"),
        ({"A": torch.ones(5, 3)}, r"A must have shape \(6, 3\), got \(5, 3\)"),
        ({"delta": torch.ones(2, 6, 4)}, r"delta must have shape \(2, 6, 5\), got \(2, 6, 4\)"),
        ({"B": torch.ones(2, 3, 4)}, r"B must have shape \(2, 1, 3, 5\), got \(2, 1, 3, 4\)"),
        ({"C": torch.ones(2, 2, 3, 5)}, r"C must have shape \(2, 1, 3, 5\), got \(2, 2, 3, 5\)"),
        ({"B": torch.ones(2, 4, 3, 5)}, "6 channels of u cannot be divided into 4 groups of B"),
        ({"D": torch.ones(5)}, r"D must have shape \(6,\), got \(5,\)"),
        ({"z": torch.ones(2, 6, 1)}, r"z must have shape \(2, 6, 5\), got \(2, 6, 1\)"),
        ({"A": torch.ones(6, 3, dtype=torch.complex64)}, "A must be real floating point, got torch.complex64"),
        ({"D": torch.ones(6, device="meta")}, "D is on meta, but u on cpu"),
    ],
)
def test_wrong_arguments(changed: dict[str, torch.Tensor], message: str) -> None:
    """The error names the argument, what it must be and what came."""
    with pytest.raises(InputError, match=message):
        selective_scan(**arguments(**changed))


def test_importing_the_scan_imports_no_compiler() -> None:
    """What only one backend needs is imported when it runs."""
    script = "import sys, uumamba.scan; print(*sorted(name for name in sys.modules if '.' not in name))"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert {"torch", "uumamba"} <= loaded
    assert not loaded & {"triton", "mamba_ssm", "numba"}
