"""How processes find each other; that they then train together is tested in tests/workflows/test_train_together.py."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from uumamba.core.processes import ALONE, Processes
from uumamba.training.cluster import AveragedGradients, OneDeviceEach, connected, device_of

THREADS = Path("/proc/self/task")


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


@pytest.mark.skipif(not THREADS.is_dir(), reason="this system does not tell a process's threads")
def test_once_parted_no_thread_of_the_process_group_is_left_though_the_network_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the network's end, whenever that is, may wait for a thread that waits for it, and the process hangs."""

    # Else Fabric would choose torch's number of threads for all later tests.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def group_threads() -> int:
        return sum("gloo" in (thread / "comm").read_text() for thread in THREADS.iterdir())

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    strategy = AveragedGradients(OneDeviceEach(Processes("torchrun", 0, 1, 0), variables))
    fabric = Fabric(accelerator="cpu", devices=1, strategy=strategy)
    fabric.launch()
    networks = [fabric.setup_module(nn.Linear(2, 2)) for _ in range(2)]
    fabric.backward(networks[1](torch.ones(1, 2)).sum())
    assert group_threads() > 0
    strategy.part()
    assert group_threads() == 0
    assert not torch.distributed.is_initialized()


def test_on_the_cpu_every_process_has_the_same_device() -> None:
    assert device_of(Processes("srun", 1, 2, 1), torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("how", ["together", "alone"])
def test_after_an_error_no_thread_outlives_python_and_nobody_waits(how: str) -> None:
    """Such a thread aborts the process: the exit code would not be the error's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = Path(__file__).with_name("two_processes_failing.py")
    processes = [
        subprocess.Popen([sys.executable, str(script), port, rank, how], stderr=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1], errors
    assert all(error.endswith(", 0 threads left\n") for error in errors), errors
    assert "NotFiniteError, " in errors[0]
