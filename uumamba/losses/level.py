"""One deep-supervision level: logits against a label map, with what all loss terms share computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import InputError

Regions = Sequence[Sequence[int]]
"""The label numbers of each region."""


@dataclass(frozen=True)
class Level:
    """Log-probabilities of all classes, and the label map they should agree with.

    `log_probabilities` (batch, class, *spatial) float; `target` (batch, 1, *spatial) int64, ignored voxels set to 0;
    `counted` (batch, 1, *spatial) bool, False at ignored voxels, None where every voxel counts; `log_true`
    (batch, 1, *spatial): the log-probability of each voxel's target class.

    Of regions each is a question of its own, whether a voxel is in it: `log_probabilities` (batch, region, *spatial)
    are those of yes, `within` (batch, region, *spatial) bool has the right answers, None without regions, and
    `log_true` (batch, region, *spatial) their log-probabilities.
    """

    log_probabilities: Tensor
    target: Tensor
    counted: Tensor | None
    log_true: Tensor
    within: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """Mean of `values` (batch, 1 or region, *spatial) over the voxels that count; 0 where none does."""
        if self.counted is None:
            return values.mean()
        return torch.where(self.counted, values, 0).sum() / (self.counted.sum() * values.shape[1]).clamp(min=1)

    def structures(self) -> tuple[Tensor, Tensor]:
        """Probability, and truth as bool, of each structure but the background, both (batch, structure, *spatial)."""
        if self.within is not None:
            return self.log_probabilities.exp(), self.within
        classes, spatial = self.log_probabilities.shape[1], [1] * (self.target.ndim - 2)
        numbers = torch.arange(1, classes, device=self.target.device).view(1, -1, *spatial)
        # One byte per voxel and structure: a float one-hot map needs four.
        return self.log_probabilities[:, 1:].exp(), self.target == numbers


def compare(logits: Tensor, target: Tensor, *, ignore: int | None = None, regions: Regions | None = None) -> Level:
    """Set `logits` (batch, class, *spatial) against `target` (batch, 1, *spatial), integers in [0, class) or `ignore`.

    With `regions` the logits are (batch, region, *spatial) and the target's integers those of the regions, or 0.
    Half precision is raised to float32 and kept out of autocast; float64 stays. The one softmax of the loss is here,
    or the sigmoids of regions.
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
        counted = None if ignore is None else target != ignore
        label_map = target.long() if counted is None else torch.where(counted, target, 0).long()
        if regions is not None:
            within = _within(label_map, regions)
            log_true = functional.logsigmoid(torch.where(within, precise, -precise))
            return Level(functional.logsigmoid(precise), label_map, counted, log_true, within)
        log_probabilities = precise.log_softmax(dim=1)
        return Level(log_probabilities, label_map, counted, log_probabilities.gather(1, label_map))


def _within(label_map: Tensor, regions: Regions) -> Tensor:
    """Which voxels of a label map (batch, 1, *spatial) are in each region: bool (batch, region, *spatial)."""
    table = torch.zeros(len(regions), 1 + max(map(max, regions)), dtype=torch.bool, device=label_map.device)
    for row, numbers in enumerate(regions):
        table[row, list(numbers)] = True
    return table[:, label_map[:, 0]].transpose(0, 1)
