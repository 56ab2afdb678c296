import pytest
import torch

from uumamba.core.machine import available_cores
from uumamba.training.hardware import HardwareSettings

CPU = torch.device("cpu")


def test_the_precision_that_is_asked_for_is_used() -> None:
    for name in ("fp32", "bf16", "fp16"):
        assert HardwareSettings.model_validate({"precision": name}).resolve_precision(CPU) == name


def test_auto_takes_bf16_only_where_the_processor_has_it() -> None:
    capabilities = torch.cpu.get_capabilities()
    fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    assert HardwareSettings().resolve_precision(CPU) == ("bf16" if fast else "fp32")


def test_workers_never_take_the_cpu_from_the_network() -> None:
    assert HardwareSettings().resolve_workers(CPU) == 0
    assert HardwareSettings(workers=3).resolve_workers(CPU) == 3
    assert 1 <= HardwareSettings().resolve_workers(torch.device("cuda")) <= max(1, available_cores() - 1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA or ROCm device")
def test_a_gpu_is_found() -> None:
    assert HardwareSettings().resolve_device().type == "cuda"


def test_a_cap_on_memory_needs_a_run_that_keeps_to_it() -> None:
    assert HardwareSettings(memory_gb=2).fit
    with pytest.raises(ValueError, match="memory_gb needs fit: true"):
        HardwareSettings(memory_gb=2, fit=False)
