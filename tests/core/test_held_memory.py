import sys
from pathlib import Path

import pytest
import torch

from uumamba.core.held_memory import available_bytes, can_measure_peak, forget_peak, held_bytes, peak_bytes

CPU = torch.device("cpu")
SIZE = 100_000_000
ON_LINUX = pytest.mark.skipif(not can_measure_peak(CPU), reason="the system's high-water mark cannot be put back")


@ON_LINUX
def test_the_peak_is_that_since_it_was_forgotten() -> None:
    forget_peak(CPU)
    before = peak_bytes(CPU)
    torch.ones(SIZE // 4)
    high = peak_bytes(CPU)
    assert 0.9 * SIZE < high - before < 1.5 * SIZE
    forget_peak(CPU)
    assert peak_bytes(CPU) < high - 0.5 * SIZE


@ON_LINUX
def test_what_is_held_may_be_held() -> None:
    available = available_bytes(CPU)
    assert available is not None
    assert 0 < held_bytes(CPU) < available
    assert held_bytes(CPU) <= peak_bytes(CPU) * 1.01


def test_a_system_without_the_mark_is_known(tmp_path: Path) -> None:
    assert not can_measure_peak(CPU, tmp_path)
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "status").write_text("Name:\tpython\n")
    assert not can_measure_peak(CPU, tmp_path)
    (own / "status").write_text("VmHWM:\t  1024 kB\n")
    assert can_measure_peak(CPU, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells in /proc")
def test_linux_can_be_measured() -> None:
    assert can_measure_peak(CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA or ROCm device")
def test_a_gpus_peak_is_that_since_it_was_forgotten() -> None:
    device = torch.device("cuda")
    torch.ones(SIZE // 4, device=device)
    high = peak_bytes(device)
    forget_peak(device)
    assert peak_bytes(device) <= high - 0.9 * SIZE
    available = available_bytes(device)
    assert available is not None
    assert available > SIZE
