import json
import os
from importlib.metadata import version

import torch

from uumamba.core.machine import available_cores, describe_run, peak_memory_gb


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
