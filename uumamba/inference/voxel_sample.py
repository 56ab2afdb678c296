"""A few of a case's voxels that stand for all of them, so that probabilities of many cases can be judged in one pass.

Voxels near structures and those far from any are drawn apart: in a typical image most are easy background, which would
hide what happens at the borders.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from torch import Tensor

from uumamba.core.labels import LabelSet, mask_of
from uumamba.core.seeding import derive_generator
from uumamba.data.plan import Plan
from uumamba.inference.scores import label_map_of

NEAR_MM = 10.0
"""A voxel is near structures if one, predicted or in the reference, is at most this far along every axis."""

MOST_NEAR = 50_000
MOST_FAR = 20_000
MOST_BYTES = 128 * 2**20
"""Of all samples of one calibration together."""

_SEED = 0


@dataclass(frozen=True)
class SampleSize:
    """How many voxels of a case are drawn at most, `near` structures and `far` from them."""

    near: int = MOST_NEAR
    far: int = MOST_FAR


@dataclass(frozen=True, eq=False)
class VoxelSample:
    """Voxels of one case: `logits` float32 (voxels, outputs), `reference` their true numbers, (voxels,).

    `near` says which are near structures; `weights` how many voxels of the case each stands for, which sum to the
    number of all voxels with a reference. `regions` are the labels if the outputs stand for regions.
    """

    logits: NDArray[np.float32]
    reference: NDArray[np.int16]
    near: NDArray[np.bool_]
    weights: NDArray[np.float64]
    regions: LabelSet | None = None

    @property
    def questions(self) -> tuple["VoxelSample", ...]:
        """Itself; of regions one sample for each, with the classes 0, outside it, and 1, within.

        The regions share the weights, so that these still sum to the number of voxels.
        """
        if self.regions is None:
            return (self,)
        shared = self.weights / self.regions.outputs
        return tuple(
            VoxelSample(
                np.stack([np.zeros_like(of_region), of_region], axis=1),
                mask_of(self.reference, numbers).astype(np.int16),
                self.near,
                shared,
            )
            for of_region, numbers in zip(self.logits.T, self.regions.members.values(), strict=True)
        )


def sample_size(cases: int, outputs: int) -> SampleSize:
    """The usual size, or less where the samples of so many cases and outputs would take more than `MOST_BYTES`."""
    share = MOST_BYTES / (max(cases, 1) * outputs * np.dtype(np.float32).itemsize) / (MOST_NEAR + MOST_FAR)
    return SampleSize(*(max(1, int(most * min(share, 1.0))) for most in (MOST_NEAR, MOST_FAR)))


def sample_voxels(
    logits: Tensor, reference: NDArray[np.integer], plan: Plan, *, case: str, size: SampleSize
) -> VoxelSample:
    """Draw voxels of a case: logits (outputs, *network axes), reference (network axes), on the plan's grid.

    The same case, by its name, gives the same voxels.
    """
    known = reference != plan.labels.ignore
    truth = np.maximum(reference, 0)  # -1 is where the image holds nothing
    predicted = label_map_of(logits, plan.labels, dim=0).cpu().numpy()
    near = _near((predicted > 0) | ((truth > 0) & known), plan.spacing_mm)
    random = derive_generator(_SEED, "voxel sample", case)
    places, weights = [], []
    for stratum, most in ((known & near, size.near), (known & ~near, size.far)):
        found = np.flatnonzero(stratum)
        drawn = found if len(found) <= most else random.choice(found, most, replace=False, shuffle=False)
        places.append(drawn)
        weights.append(np.full(len(drawn), len(found) / max(len(drawn), 1)))
    chosen = np.concatenate(places)
    values = logits.flatten(1)[:, torch.from_numpy(chosen).to(logits.device)].T.float().cpu().numpy()
    return VoxelSample(
        logits=np.ascontiguousarray(values),
        reference=truth.ravel()[chosen].astype(np.int16),
        near=np.arange(len(chosen)) < len(places[0]),
        weights=np.concatenate(weights),
        regions=None if plan.labels.regions is None else plan.labels,
    )


def _near(foreground: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> NDArray[np.bool_]:
    """The foreground and the box of `NEAR_MM` around each of its voxels, at least the next voxel along each axis."""
    reach = tuple(2 * max(1, int(NEAR_MM / step)) + 1 for step in spacing_mm)
    near: NDArray[np.bool_] = maximum_filter(foreground.view(np.uint8), size=reach, mode="constant").view(np.bool_)
    return near
