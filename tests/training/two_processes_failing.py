"""One of two processes of a training that fails: `python two_processes_failing.py PORT RANK HOW`.

HOW is where the error comes: `together`, in both after a step, or `alone`, in the first while it waits for an answer.
Ends as the program does, with the error's exit code; what it says on the error stream ends with the threads left over.
"""

import os
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from uumamba.core.errors import NotFiniteError, UumambaError
from uumamba.core.processes import Processes
from uumamba.training.cluster import connected


def train(rank: int, how: str) -> None:
    """Steps until something fails."""
    with connected(Processes("torchrun", rank, 2, rank), torch.device("cpu")) as fabric:
        network = fabric.setup_module(nn.Linear(64, 64))
        for _ in range(3):
            fabric.backward(network(torch.ones(8, 64)).sum())
        if how == "together":
            raise NotFiniteError("the loss is not finite")
        for _ in range(2):
            torch.distributed.all_reduce(torch.ones(3), async_op=rank == 0)
            if rank == 0:
                raise NotFiniteError("the loss is not finite")


def main(port: str, rank: int, how: str) -> None:
    """As the command line's `main`."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    try:
        train(rank, how)
    except (UumambaError, RuntimeError) as error:
        left = sum("gloo" in (thread / "comm").read_text() for thread in Path("/proc/self/task").glob("*"))
        sys.exit(f"{type(error).__name__}, {left} threads left")


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
