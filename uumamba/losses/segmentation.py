"""The segmentation loss: three terms over the decoder levels, or four, weighed against each other."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.losses.centreline_dice import CentrelineDiceSettings
from uumamba.losses.cross_entropy import distribution
from uumamba.losses.deep_supervision import level_weights
from uumamba.losses.dice import BatchTotal, own_batch, region, soft_dice
from uumamba.losses.focal import pixel, pixel_as_published
from uumamba.losses.level import Level, Regions, compare
from uumamba.losses.weighting import FixedWeighting, UncertaintyWeighting, Weighting

Term = Callable[[Level], Tensor]


class LossValue(NamedTuple):
    """A loss: `total` to differentiate, and its `terms` (detached scalars, before weighting) for the log."""

    total: Tensor
    terms: dict[str, Tensor]


class SegmentationLoss(nn.Module):
    """Terms summed over the levels with fixed level weights, then weighed against each other once.

    All levels share one weighting, so weighing the sums equals weighing each level. Everything is computed in float32
    outside autocast. The module's parameters are those of the weighting: none if it is fixed.
    """

    def __init__(
        self,
        terms: Mapping[str, Term],
        weighting: Weighting,
        *,
        levels: int,
        ignore: int | None = None,
        regions: Regions | None = None,
        finest_terms: Mapping[str, Term] | None = None,
    ) -> None:
        """Apply `terms`, name -> function of one level, to `levels` outputs; `ignore` and `regions` as in `compare`.

        `finest_terms` are applied to full resolution alone, with its weight 1.
        """
        super().__init__()
        self.terms = dict(terms)
        self.finest_terms = dict(finest_terms or {})
        self.weighting = weighting
        self.levels = levels
        self.ignore = ignore
        self.regions = regions

    def forward(self, logits: Sequence[Tensor], target: Sequence[Tensor]) -> LossValue:
        """Compare `logits` (batch, class, *spatial) with `target` (batch, 1, *spatial) integers, full resolution first.

        Give all the levels, as in training, or the full resolution alone, as in validation.
        """
        if len(logits) not in (1, self.levels) or len(target) < len(logits):
            raise InputError(
                f"loss: built for {self.levels} levels, so 1 or {self.levels} logits with as many targets are allowed, "
                f"got {len(logits)} logits and {len(target)} targets; build it with the network's number of levels"
            )
        sums = dict.fromkeys(self.terms, torch.zeros((), device=logits[0].device))
        finest: dict[str, Tensor] = {}
        with torch.autocast(logits[0].device.type, enabled=False):
            for weight, level_logits, level_target in zip(level_weights(len(logits)), logits, target, strict=False):
                if weight == 0:
                    continue
                level = compare(level_logits, level_target, ignore=self.ignore, regions=self.regions)
                sums = {name: sums[name] + weight * term(level) for name, term in self.terms.items()}
                # the first level is full resolution
                finest = finest or {name: term(level) for name, term in self.finest_terms.items()}
            sums |= finest
            total = self.weighting(sums)
        return LossValue(total, {name: value.detach() for name, value in sums.items()})

    def weights(self) -> dict[str, float]:
        """Today's weight of each term, for the log."""
        return self.weighting.weights()


class LossSettings(Settings):
    """What the network is trained to minimise.

    `name`: "uncertainty" learns the weights of the three terms, "fixed" keeps them. "published" repeats what the
    published code minimises, for comparison only: fixed weights, -Dice, focal loss with two softmaxes, and the constant
    sum of log(1 + p^2).
    `weights` of region, distribution and pixel term: where "uncertainty" starts (0.5 is p = 1), what the others keep.
    `centreline` adds a fourth term for thin vessels, with a weight of its own that is learned or kept as the others'.
    """

    name: Literal["uncertainty", "fixed", "published"] = "uncertainty"
    weights: tuple[float, float, float] = (0.5, 0.5, 0.5)
    smooth: float = Field(default=1e-5, gt=0)
    focal_gamma: float = Field(default=2.0, ge=1)
    focal_alpha: float = Field(default=0.5, gt=0, le=1)
    centreline: CentrelineDiceSettings | None = None

    @model_validator(mode="after")
    def _check(self) -> "LossSettings":
        if self.name == "published" and self.centreline is not None:
            raise ValueError("centreline: name 'published' has three terms alone; take 'uncertainty' or 'fixed'")
        lowest = min(self.weights)
        if lowest < 0 or max(self.weights) == 0 or (lowest == 0 and self.name != "fixed"):
            raise ValueError(
                f"weights must be above 0 (with name 'fixed' at least 0, and one above), got {self.weights}; "
                "to leave a term out, use name 'fixed' with weight 0"
            )
        return self

    def build(
        self, *, labels: LabelSet, batch_dice: bool, levels: int, batch_total: BatchTotal = own_batch
    ) -> SegmentationLoss:
        """Build the loss for a network with `levels` outputs; `batch_dice` as planned, `batch_total` as in `dice`.

        Raises `ConfigError` for the published loss of regions, and if `centreline` names other structures than labels.
        """
        if self.name == "published" and labels.regions is not None:
            raise ConfigError(
                "loss.name: 'published' is a loss of one label for each voxel, and these labels have regions "
                f"({labels.in_words}); take 'uncertainty' or 'fixed'"
            )
        terms = self._terms(batch_dice, batch_total)
        weights = dict(zip(terms, self.weights, strict=True))
        finest: dict[str, Term] = {}
        if self.centreline is not None:
            finest["centreline"] = self.centreline.build(labels=labels, batch_dice=batch_dice, batch_total=batch_total)
            weights["centreline"] = self.centreline.weight
        return SegmentationLoss(
            terms,
            self._weighting(weights),
            levels=levels,
            ignore=labels.ignore,
            regions=labels.regions,
            finest_terms=finest,
        )

    def _terms(self, batch_dice: bool, batch_total: BatchTotal) -> dict[str, Term]:
        focal = pixel_as_published if self.name == "published" else pixel
        region_term = _negative_dice if self.name == "published" else region
        return {
            "region": partial(region_term, batch_dice=batch_dice, smooth=self.smooth, batch_total=batch_total),
            "distribution": distribution,
            "pixel": partial(focal, gamma=self.focal_gamma, alpha=self.focal_alpha),
        }

    def _weighting(self, weights: Mapping[str, float]) -> Weighting:
        if self.name == "uncertainty":
            return UncertaintyWeighting(weights)
        if self.name == "published":
            return FixedWeighting(weights, constant=sum(math.log1p(0.5 / weight) for weight in weights.values()))
        return FixedWeighting(weights)


def _negative_dice(level: Level, *, batch_dice: bool, smooth: float, batch_total: BatchTotal) -> Tensor:
    return -soft_dice(level, batch_dice=batch_dice, smooth=smooth, batch_total=batch_total)
