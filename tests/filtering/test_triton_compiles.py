"""The Triton kernels compile for real cards: their interpreter forgives what their compiler does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed")

ROOT = Path(__file__).parents[2]
LAUNCHES = ["filter_kernel", "map_gradient_kernel", "kernel_gradient_kernel"]


@pytest.mark.slow
@pytest.mark.parametrize("target", [("cuda", "90", "32"), ("hip", "gfx942", "64")], ids=lambda target: target[1])
def test_compiles_without_exchange_between_threads(target: tuple[str, str, str], tmp_path: Path) -> None:
    """Each thread has a place of its own, with all its rows and items; else every tap would wait for other threads."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "tests.filtering.compile_kernels", *target]
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if "TRITON_HIP_LLD_PATH" in result.stderr:
        pytest.skip("this version of Triton compiles for AMD beside ROCm only")
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [name for name, _ in lines] == 4 * LAUNCHES
    assert {exchanges for _, exchanges in lines} == {"0"}
