"""One deep-supervision level: logits against a label map, with what all loss terms share computed once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class Level:
    """Log-probabilities of all classes, and the label map they should agree with.

    `log_probabilities` (batch, class, *spatial) float; `target` (batch, 1, *spatial) int64, ignored voxels set to 0;
    `counted` (batch, 1, *spatial) bool, False at ignored voxels, None where every voxel counts; `log_true`
    (batch, 1, *spatial): the log-probability of each voxel's target class.
    """

    log_probabilities: Tensor
    target: Tensor
    counted: Tensor | None
    log_true: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """Mean of per-voxel `values` (batch, 1, *spatial) over the voxels that count; 0 where none does."""
        if self.counted is None:
            return values.mean()
        return torch.where(self.counted, values, 0).sum() / self.counted.sum().clamp(min=1)

    def structures(self) -> tuple[Tensor, Tensor]:
        """Probability, and truth as bool, of each structure but the background, both (batch, structure, *spatial)."""
        classes, spatial = self.log_probabilities.shape[1], [1] * (self.target.ndim - 2)
        numbers = torch.arange(1, classes, device=self.target.device).view(1, -1, *spatial)
        # One byte per voxel and structure: a float one-hot map needs four.
        return self.log_probabilities[:, 1:].exp(), self.target == numbers


def compare(logits: Tensor, target: Tensor, *, ignore: int | None = None) -> Level:
    """Set `logits` (batch, class, *spatial) against `target` (batch, 1, *spatial), integers in [0, class) or `ignore`.

    Half precision is raised to float32 and kept out of autocast; float64 stays. The one softmax of the loss is here.
    """
    # gather would take the corner of larger logits without a word
    needed = (logits.shape[0], 1, *logits.shape[2:])
    if target.shape != needed:
        raise InputError(
            f"loss: logits of shape {tuple(logits.shape)} need a target of shape {needed}, got {tuple(target.shape)}; "
            "give each decoder level the label map of its own size"
        )
    with torch.autocast(logits.device.type, enabled=False):
        precise = logits if logits.dtype == torch.float64 else logits.float()
        log_probabilities = precise.log_softmax(dim=1)
        counted = None if ignore is None else target != ignore
        label_map = target.long() if counted is None else torch.where(counted, target, 0).long()
        return Level(log_probabilities, label_map, counted, log_probabilities.gather(1, label_map))
