"""The Triton kernels compile for real cards: their interpreter forgives what their compiler does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is not installed")

ROOT = Path(__file__).parents[2]
FORWARDS = ["forward_kernel", "carry_kernel", "forward_kernel"]
BACKWARDS = ["sweep_kernel", "carry_kernel", "backward_kernel"]


@pytest.mark.slow
@pytest.mark.parametrize("target", [("cuda", "90", "32"), ("hip", "gfx942", "64")], ids=lambda target: target[1])
def test_compiles_with_all_steps_of_a_tile_in_one_thread(target: tuple[str, str, str], tmp_path: Path) -> None:
    """Threads exchange nothing, but for the sums over channels: else a tile's steps would lie in different threads."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-m", "tests.scan.compile_kernels", *target]
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if "TRITON_HIP_LLD_PATH" in result.stderr:
        pytest.skip("this version of Triton compiles for AMD beside ROCm only")
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [name for name, _ in lines] == 2 * (FORWARDS + BACKWARDS)
    assert {name for name, shuffles in lines if int(shuffles)} == {"backward_kernel"}
