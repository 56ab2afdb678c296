"""How the terms of a loss are weighed: learned by uncertainty, or fixed."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


class UncertaintyWeighting(nn.Module):
    """Learned weights: the sum over terms of 0.5 exp(-s) L + softplus(s), with s = log p^2.

    This is UU-Mamba's 0.5 / p^2 L + log(1 + p^2) (arXiv 2405.17496; after Kendall et al., 2018) without the two signs
    and the pole of p. With L constant the optimum is p^2 = (L/2 + sqrt(L^2/4 + 2L)) / 2; with every L >= 0 the sum is
    >= 0. `s` is one parameter, an entry per term in the order of `weights`: train it without weight decay.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Start from `weights`, name -> 0.5 exp(-s), each above 0; 0.5 is p = 1."""
        super().__init__()
        self.names = tuple(weights)
        self.s = nn.Parameter(torch.tensor([-math.log(2 * weight) for weight in weights.values()]))

    def forward(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Weigh `terms`, name -> scalar."""
        losses = torch.stack([terms[name] for name in self.names])
        return (0.5 * torch.exp(-self.s) * losses + functional.softplus(self.s)).sum()

    @torch.no_grad()
    def weights(self) -> dict[str, float]:
        """Today's weight 0.5 exp(-s) of each term."""
        return dict(zip(self.names, (0.5 * torch.exp(-self.s)).tolist(), strict=True))


class FixedWeighting(nn.Module):
    """Given weights: the sum over terms of weight times L, plus a constant."""

    def __init__(self, weights: Mapping[str, float], *, constant: float = 0.0) -> None:
        """Keep `weights`, name -> factor >= 0; `constant` only moves the curve."""
        super().__init__()
        self._weights = dict(weights)
        self._constant = constant

    def forward(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Weigh `terms`, name -> scalar."""
        return torch.stack([weight * terms[name] for name, weight in self._weights.items()]).sum() + self._constant

    def weights(self) -> dict[str, float]:
        """The weight of each term."""
        return dict(self._weights)


Weighting = UncertaintyWeighting | FixedWeighting
