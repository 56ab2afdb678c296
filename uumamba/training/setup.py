"""Network, loss and optimizer put together on their device by Lightning Fabric."""

from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import nn

from uumamba.data.loader import PatchBatch
from uumamba.losses.segmentation import LossValue, SegmentationLoss
from uumamba.optim.step import Precision, Step
from uumamba.training.loop import Training


def set_up(
    network: nn.Module,
    loss: SegmentationLoss,
    build_optimizer: Callable[[nn.Module, nn.Module], torch.optim.Optimizer],
    *,
    device: torch.device,
    precision: Precision,
    clip_norm: float,
    skip_limit: int,
) -> Training:
    """A training that has not begun: everything on `device`, and the step that changes it.

    Fabric computes in float32; the step alone lowers the precision of the network's forward pass.
    """
    fabric = Fabric(accelerator=device.type, devices=1)
    network, loss = network.to(device), loss.to(device)
    optimizer = build_optimizer(network, loss)
    wrapped = fabric.setup_module(network)

    def task(model: nn.Module, batch: PatchBatch) -> LossValue:
        logits = model(batch["image"].to(device, non_blocking=True))
        levels = logits if isinstance(logits, list) else [logits]
        value: LossValue = loss(levels, [target.to(device, non_blocking=True) for target in batch["target"]])
        return value

    step = Step(
        wrapped,
        optimizer,
        {"task": task},
        clip_norm=clip_norm,
        precision=precision,
        backward=fabric.backward,
        unsynchronised=lambda _: fabric.no_backward_sync(wrapped),
        skip_limit=skip_limit,
    )
    return Training(network, loss, optimizer, step)
