import json
import os
from importlib.metadata import version
from pathlib import Path

import torch

from uumamba.core.machine import available_cores, describe_run, memory_gb, peak_memory_gb, processor


def test_a_run_record_names_device_threads_and_versions() -> None:
    record = describe_run(torch.device("cpu"))
    assert json.loads(json.dumps(record)) == record
    assert record["device"] == "cpu"
    assert record["threads"] == torch.get_num_threads()
    assert record["versions"]["torch"] == version("torch")
    assert {"python", "numpy", "monai", "nnunetv2"} <= record["versions"].keys()


def test_peak_memory_only_grows() -> None:
    device = torch.device("cpu")
    before = peak_memory_gb(device)
    big = torch.ones(60_000_000)
    after = peak_memory_gb(device)
    assert before is not None
    assert after is not None
    assert 0.05 < before <= after < 64
    assert big.sum() > 0


def test_no_more_cores_than_the_machine_has() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_memory_and_processor_are_what_the_system_tells(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    2000000 kB\n")
    (tmp_path / "proc" / "cpuinfo").write_text("processor : 0\nmodel name\t: Fast CPU 9000\n")
    assert memory_gb(tmp_path)["available"] == 2.05
    assert processor(tmp_path) == "Fast CPU 9000"


def test_what_the_system_does_not_tell_is_none(tmp_path: Path) -> None:
    memory = memory_gb(tmp_path)
    assert (memory["available"], memory["limit"]) == (None, None)
    assert memory.keys() == {"total", "available", "limit"}
    assert processor(tmp_path)
