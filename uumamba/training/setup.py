"""Network, loss and optimizer put together on their device by Lightning Fabric, for one process or many."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from uumamba.core.processes import BatchSum
from uumamba.data.loader import PatchBatch
from uumamba.losses.segmentation import LossValue, SegmentationLoss
from uumamba.optim.step import Precision, Step
from uumamba.training.state import Training


class NetworkWithLoss(nn.Module):
    """Both in one module, so that one reduction brings all gradients together, those of the loss's own weights too."""

    def __init__(self, network: nn.Module, loss: SegmentationLoss) -> None:
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, image: Tensor, target: list[Tensor]) -> LossValue:
        """The loss of a batch."""
        logits = self.network(image)
        value: LossValue = self.loss(logits if isinstance(logits, list) else [logits], target)
        return value


def loss_of(joined: nn.Module, batch: PatchBatch, device: torch.device) -> LossValue:
    """What a `NetworkWithLoss`, wrapped or not, gives for a batch that is brought to its device."""
    target = [level.to(device, non_blocking=True) for level in batch["target"]]
    value: LossValue = joined(batch["image"].to(device, non_blocking=True), target)
    return value


def set_up(
    fabric: Fabric,
    network: nn.Module,
    loss: SegmentationLoss,
    build_optimizer: Callable[[nn.Module, nn.Module], torch.optim.Optimizer],
    *,
    batch_sum: BatchSum,
    precision: Precision,
    clip_norm: float,
    skip_limit: int,
) -> Training:
    """A training that has not begun: everything on Fabric's device, and the step that changes it.

    `batch_sum` is the one that the loss was built with: where gradients are not synchronised, sums are not either. Its
    processes train together.
    Fabric computes in float32; the step alone lowers the precision of the network's forward pass.
    """
    device = fabric.device
    network, loss = network.to(device), loss.to(device)
    optimizer = build_optimizer(network, loss)
    wrapped = fabric.setup_module(NetworkWithLoss(network, loss))

    def task(_: nn.Module, batch: PatchBatch) -> LossValue:
        return loss_of(wrapped, batch, device)

    @contextmanager
    def unsynchronised(_: nn.Module) -> Iterator[None]:
        with fabric.no_backward_sync(wrapped), batch_sum.local():
            yield

    step = Step(
        network,
        optimizer,
        {"task": task},
        clip_norm=clip_norm,
        precision=precision,
        backward=fabric.backward,
        unsynchronised=unsynchronised,
        skip_limit=skip_limit,
    )
    return Training(network, loss, optimizer, step, batch_sum.processes)
