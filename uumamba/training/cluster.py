"""How the processes of a distributed run find each other, for Lightning Fabric."""

import logging
import os
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from weakref import WeakSet

import torch

# The defaults of its functions keep the group for good, and its threads with it, if torch imports it later.
import torch.distributed.nn
from lightning_fabric import Fabric as Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from uumamba.core.errors import Interrupted
from uumamba.core.processes import Processes


class OneDeviceEach(ClusterEnvironment):
    """Every process has one device, as if it were a machine of its own.

    So it does not matter whether a process sees all devices of its machine, as under torchrun, or only its own, as
    Slurm may arrange. Fabric's own Slurm environment also refuses `--ntasks`, and mistakes a batch script's process,
    which is alone, for one of many.
    """

    creates_processes_externally = True

    def __init__(self, processes: Processes, variables: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._processes = processes
        self._variables = variables

    @property
    def main_address(self) -> str:
        """Where the first process is; torchrun says it, of Slurm's it is the first machine of the step."""
        if "MASTER_ADDR" in self._variables:
            return self._variables["MASTER_ADDR"]
        return SLURMEnvironment.resolve_root_node_address(self._variables.get("SLURM_STEP_NODELIST", "127.0.0.1"))

    @property
    def main_port(self) -> int:
        """A port on which the first process listens; each Slurm step has its own."""
        if "MASTER_PORT" in self._variables:
            return int(self._variables["MASTER_PORT"])
        job, step = (int(self._variables.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
        return 15000 + (job * 16 + step) % 16000

    @staticmethod
    def detect() -> bool:
        """Never chosen by itself."""
        return False

    def world_size(self) -> int:
        """All processes."""
        return self._processes.count

    def set_world_size(self, size: int) -> None:
        """Whoever started the processes has set it."""

    def global_rank(self) -> int:
        """This process among all."""
        return self._processes.rank

    def set_global_rank(self, rank: int) -> None:
        """Whoever started the processes has set it."""

    def local_rank(self) -> int:
        """Alone on its machine."""
        return 0

    def node_rank(self) -> int:
        """The machine that it is."""
        return self._processes.rank


class AveragedGradients(DDPStrategy):
    """Averages gradients over all processes until they part.

    The heads that the loss does not reach have no gradient, hence `find_unused_parameters`.
    """

    def __init__(self, environment: ClusterEnvironment) -> None:
        super().__init__(cluster_environment=environment, find_unused_parameters=True)
        self._wrapped: WeakSet[DistributedDataParallel] = WeakSet()

    def setup_module(self, module: nn.Module) -> DistributedDataParallel:
        """Wrap a module, and remember it as long as it lives."""
        wrapped = super().setup_module(module)
        self._wrapped.add(wrapped)
        return wrapped

    def part(self) -> None:
        """End the process group and its threads here and now; no wrapped module can be trained any more.

        A module may live on, in an exception's traceback for instance, and its reducer with it, which holds the group.
        Ending the group waits for its threads. A reducer does so without giving up Python's lock, and a thread may be
        waiting for just that, to free a tensor: the process would hang (pytorch issue 56297). Python's own handle of
        the group gives the lock up, so it must be the last. A thread that outlives Python, on the other hand, aborts
        the process when it frees a tensor.
        """
        for wrapped in self._wrapped:
            del wrapped.reducer, wrapped.logger, wrapped.process_group
        torch.distributed.destroy_process_group()


@contextmanager
def connected(processes: Processes, device: torch.device) -> Iterator[Fabric]:
    """Fabric on this process's device, in touch with the other processes, gradients averaged over all."""
    environment = OneDeviceEach(processes)
    devices = [device.index or 0] if device.type == "cuda" else 1
    if processes.count == 1:
        yield Fabric(accelerator=device.type, devices=devices, plugins=[environment])
        return
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # It is about one small weight of the Mamba layers, and "not an error", as torch says.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    strategy = AveragedGradients(environment)
    fabric = Fabric(accelerator=device.type, devices=devices, num_nodes=processes.count, strategy=strategy)
    fabric.launch()
    try:
        yield fabric
    except BaseException as error:
        # All are interrupted together, but of any other error the others may know nothing. Gloo waits for them only
        # where this process began to talk to them; NCCL would wait for them to part.
        if isinstance(error, Interrupted) or device.type == "cpu":
            traceback.clear_frames(error.__traceback__)  # torch's own hold the group
            strategy.part()
        raise
    strategy.part()


def device_of(processes: Processes, device: torch.device) -> torch.device:
    """This process's own of the devices of a kind that it sees; they are taken in turn."""
    if device.type != "cuda":
        return device
    return torch.device(device.type, processes.local_rank % torch.cuda.device_count())
