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
