"""How processes find each other; that they then train together is tested in tests/workflows/test_train_together.py."""

import multiprocessing
import os
import socket
import sys
import weakref

import pytest
import torch
from torch import nn

from uumamba.core.errors import Interrupted
from uumamba.core.processes import ALONE, Processes
from uumamba.training.cluster import Fabric, OneDeviceEach, connected, device_of


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


def _train(fabric: Fabric, networks: list[weakref.ref[nn.Module]]) -> None:
    """A step of a network that exists only here, and then a request to stop."""
    network = fabric.setup_module(nn.Linear(2, 1))
    network(torch.ones(3, 2)).sum().backward()
    networks.append(weakref.ref(network._forward_module))
    raise Interrupted("stopped")


def _stopped(rank: int, port: int) -> None:
    """In a process of its own: leave by `Interrupted` as `uumamba train` does, and look at what is still there."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    networks: list[weakref.ref[nn.Module]] = []
    try:
        with connected(Processes("torchrun", rank, 2, rank), torch.device("cpu")) as fabric:
            try:
                _train(fabric, networks)
            except Interrupted as error:
                raise Interrupted(f"{error}; go on with --resume") from None
    except Interrupted as error:
        # While the error is still there, with all that its traceback holds, as it is when the program exits.
        sys.exit(75 if networks[0]() is None and error.__context__ is not None else 1)


@pytest.mark.slow
def test_a_stopped_process_lets_go_of_the_network_before_the_group() -> None:
    """Else it may hang at its end, see `cluster._disconnect`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawned = multiprocessing.get_context("spawn")
    processes = [spawned.Process(target=_stopped, args=(rank, port)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [75, 75]


def test_on_the_cpu_every_process_has_the_same_device() -> None:
    assert device_of(Processes("srun", 1, 2, 1), torch.device("cpu")) == torch.device("cpu")
