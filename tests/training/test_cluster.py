"""How processes find each other; that they then train together is tested in tests/workflows/test_train_together.py."""

import pytest
import torch

from uumamba.core.processes import ALONE, Processes
from uumamba.training.cluster import OneDeviceEach, connected, device_of


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("node[5-9]", "node5"),
        ("node[08,10]", "node08"),
        ("a1,b2", "a1"),
        ("gpu[001-002],x", "gpu001"),
    ],
)
def test_the_first_process_is_on_the_first_machine_of_the_step(nodes: str, first: str) -> None:
    assert OneDeviceEach(Processes("srun", 1, 2, 0), {"SLURM_STEP_NODELIST": nodes}).main_address == first


def test_each_step_of_each_job_has_a_port_of_its_own() -> None:
    ports = {
        OneDeviceEach(ALONE, {"SLURM_JOB_ID": str(job), "SLURM_STEP_ID": str(step)}).main_port
        for job in range(1000, 1100)
        for step in range(4)
    }
    assert len(ports) == 400
    assert all(1024 < port < 65536 for port in ports)


def test_what_torchrun_says_counts() -> None:
    found = OneDeviceEach(Processes("torchrun", 1, 2, 1), {"MASTER_ADDR": "elsewhere", "MASTER_PORT": "29501"})
    assert (found.main_address, found.main_port) == ("elsewhere", 29501)
    assert (found.world_size(), found.global_rank(), found.node_rank(), found.local_rank()) == (2, 1, 1, 0)


def test_alone_there_is_no_process_group_even_in_a_batch_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    with connected(ALONE, torch.device("cpu")) as fabric:
        assert fabric.world_size == 1
        assert not torch.distributed.is_initialized()


def test_on_the_cpu_every_process_has_the_same_device() -> None:
    assert device_of(Processes("srun", 1, 2, 1), torch.device("cpu")) == torch.device("cpu")
