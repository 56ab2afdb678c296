"""A picture of one validation case every few epochs of a training: how far the network is, at a glance."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from uumamba.core.labels import mask_of
from uumamba.data.plan import Plan
from uumamba.data.store import PreprocessedStore
from uumamba.metrics.overlap import dice
from uumamba.reporting.overlay import overlay_figure, spread_slices
from uumamba.reporting.style import save_figure
from uumamba.training.snapshot import predict_slices

_SLICES = 6
_A_LINE = 6


@dataclass(frozen=True)
class ValidationOverlay:
    """Draws always the same slices of the same case: six, spread over those that the reference labels.

    They lie along the first network axis, as a 2D network sees them. `run` names the run in the title.
    """

    store: PreprocessedStore
    case: str
    plan: Plan
    device: torch.device
    run: str

    def draw(self, network: nn.Module, epoch: int, folder: Path) -> Path:
        """Predict the slices at the plan's spacing and write `epoch_<number>.png` into `folder`; gives its path."""
        data, labels = self.store.read_case(self.case)
        known = labels[0] != self.plan.labels.ignore
        reference = np.where(known, np.maximum(labels[0], 0), 0)
        slices = spread_slices(_pictured(reference > 0), _SLICES)
        predicted = np.where(known, predict_slices(network, data, slices, self.plan, self.device), 0)
        figure = overlay_figure(
            _pictured(data[0]),
            _pictured(predicted),
            spacing_mm=self.plan.spacing_mm[::-1],
            labels=self.plan.labels,
            reference=_pictured(reference),
            title=f"{self.run}, epoch {epoch}, {self.case}\n{self._scores(predicted[slices], reference[slices])}",
            slices=slices,
        )
        path = folder / f"epoch_{epoch:04d}.png"
        save_figure(figure, path)
        return path

    def _scores(self, predicted: np.ndarray, reference: np.ndarray) -> str:
        words = []
        for name, numbers in self.plan.labels.members.items():
            score = dice(mask_of(predicted, numbers), mask_of(reference, numbers), self.plan.spacing_mm)
            words.append(f"{name} {'absent' if score is None else format(score, '.3f')}")
        lines = [", ".join(words[place : place + _A_LINE]) for place in range(0, len(words), _A_LINE)]
        return "Dice on these slices: " + ",\n".join(lines)


def _pictured(array: np.ndarray) -> np.ndarray:
    """Network axes turned for a picture, slices last: (x, y, z) where they are (z, y, x), as in nearly every plan."""
    return array.transpose(2, 1, 0)
