import platform
import subprocess
import sys

import pytest
import torch

from uumamba.core.device import choose_device
from uumamba.core.errors import ConfigError


def test_auto_takes_what_is_there_and_cpu_is_always_cpu() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu").type == "cpu"


def test_float32_means_float32() -> None:
    choose_device("auto")
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "", "CPU"])
def test_an_unknown_device_is_never_the_cpu(name: str) -> None:
    with pytest.raises(ConfigError, match=r"must be one of auto, cpu, cuda"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="torch finds no CUDA or ROCm device here; use device auto or cpu"):
        choose_device("cuda")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc can be told")
def test_freed_memory_is_used_again() -> None:
    """Once told, large blocks come back without the page faults of new memory, but for those that malloc cuts up."""
    script = "\n".join(
        (
            "import resource, torch",
            "from uumamba.core.device import keep_freed_memory",
            "def faults_of_many_blocks():",
            "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt",
            "    for _ in range(20): torch.ones(25_000_000)",
            "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before",
            "fresh = faults_of_many_blocks()",
            "assert keep_freed_memory()",
            "faults_of_many_blocks()",  # the heap grows to what is needed
            "print(fresh, faults_of_many_blocks())",
        )
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240, check=True)
    fresh, kept = map(int, done.stdout.split())
    assert kept < fresh / 2
