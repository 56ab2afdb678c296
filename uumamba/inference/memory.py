"""How much memory a case will take, known before it is taken.

Arrays are counted, at the stage where most of them are there. What a network needs for its feature maps is measured
once, on one window.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from uumamba.core.errors import TooLargeError
from uumamba.core.held_memory import forget_peak, held_bytes, peak_bytes
from uumamba.data.memory import geometry_of, preparing_bytes, with_gaps
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, network_shape, plan_spacing
from uumamba.data.restoration import restoration_bytes
from uumamba.imaging.image import ImageSize
from uumamba.inference.prediction_volume import PredictionVolume
from uumamba.inference.region import searching_bytes
from uumamba.inference.sliding_window import SLAB, stitching_bytes

_FLOAT32, _FLOAT64 = 4, 8


@dataclass(frozen=True)
class Footing:
    """Bytes that a process holds before its first case, and beside them for a forward pass."""

    held: int
    forward: int


@dataclass(frozen=True)
class Demand:
    """What decides how much memory a case takes beside its images and its plan.

    `patches` are the patches of all members of the ensemble, `forward_bytes` what a forward pass of the largest holds,
    `postprocessing_bytes` what post-processing takes for each voxel, 0 without it. `coarse` are the plans of the coarse
    networks that look for a region of interest; which one they find is not known before, so it counts as the whole.
    """

    patches: tuple[tuple[int, ...], ...]
    forward_bytes: int
    maps: bool
    opinions: int
    postprocessing_bytes: int
    coarse: tuple[Plan, ...] = ()

    def of(self, size: ImageSize, plan: Plan) -> int:
        """The most bytes held at once for a case of one frame, from its images on until its prediction is there."""
        geometry = geometry_of(size, plan)
        x, y, z = size.shape[:3]
        images = _FLOAT32 * len(plan.channels) * x * y * z
        stages = self._searching(geometry, plan), self._predicting(geometry, plan), self._ending(geometry)
        return with_gaps(images + max(preparing_bytes(size, plan), *stages))

    def series_bytes(self, size: ImageSize) -> int:
        """What a series holds beside one of its frames: the others, and the result of all."""
        *space, frames = size.shape if len(size.shape) == 4 else (*size.shape, 1)
        if frames == 1:
            return 0
        maps = _FLOAT32 * self.maps * (2 if self.opinions > 1 else 1)
        return int(np.prod(space)) * ((frames - 1) * _FLOAT32 + frames * (1 + maps))

    def _searching(self, geometry: Geometry, plan: Plan) -> int:
        """While coarse networks look for a region; 0 without them."""
        if not self.coarse:
            return 0
        shape, spacing = network_shape(geometry, plan), plan_spacing(geometry, plan)
        data = _FLOAT32 * len(plan.channels) * int(np.prod(shape))
        return data + self.forward_bytes + max(searching_bytes(shape, spacing, coarse) for coarse in self.coarse)

    def _predicting(self, geometry: Geometry, plan: Plan) -> int:
        depth, *plane = network_shape(geometry, plan)
        shape = (depth, plane[0], plane[1])
        channels = plan.labels.outputs + (self.maps and self.opinions > 1)
        slab = _FLOAT32 * channels * SLAB * plane[0] * plane[1]
        stitched = sum(stitching_bytes(channels, shape, patch) for patch in self.patches)
        members = len(self.patches)
        # Every member's slab; in a mean also its probabilities, and five slabs on the way from these to the scores.
        given = slab * (2 * members + 5 if members > 1 else members)
        restored = restoration_bytes(channels, SLAB, shape, geometry, plan)
        voxels = geometry.shape_after_crop[1] * geometry.shape_after_crop[2]
        # Scores and probabilities; for the entropy its terms, of regions those of yes and of no.
        copies = 2 + self.maps * (1 if plan.labels.regions is None else 3)
        collected = voxels * (_FLOAT32 * channels * copies + 3 * _FLOAT64)
        data = _FLOAT32 * len(plan.channels) * int(np.prod(shape))
        # The network's answer for a window is copied once, and once more with its weights.
        answer = 2 * _FLOAT32 * channels * max((math.prod(patch) for patch in self.patches), default=0)
        network = self.forward_bytes + answer
        return data + stitched + given + restored + int(collected) + self._result(geometry) + network

    def _ending(self, geometry: Geometry) -> int:
        """While the label map is post-processed."""
        return self._result(geometry) + self.postprocessing_bytes * int(np.prod(geometry.shape_before_crop))

    def _result(self, geometry: Geometry) -> int:
        keeps_winner = self.postprocessing_bytes > 0
        each = PredictionVolume.bytes_per_voxel(keep_winner=keeps_winner, maps=self.maps, opinions=self.opinions)
        return each * int(np.prod(geometry.shape_before_crop))


def require_memory(needed: int, allowed: int) -> None:
    """Raise `TooLargeError`, with the number of GB that are missing, if more bytes are needed than allowed."""
    if needed > allowed:
        raise TooLargeError(
            f"takes {needed / 1e9:.1f} GB of memory where {allowed / 1e9:.1f} GB may be used: "
            f"{(needed - allowed) / 1e9:.1f} GB are missing; use a machine with more memory or a larger --max-memory"
        )


def forward_bytes(network: nn.Module, plan: Plan, *, windows: int) -> int:
    """What a forward pass of so many windows holds on the CPU, measured on zeros in the second of two passes.

    It must be possible to measure (`core/held_memory.py`).
    """
    device = torch.device("cpu")
    batch = torch.zeros(windows, len(plan.channels), *plan.patch_size)
    with torch.inference_mode():
        network(batch[:1])  # compiled kernels and prepared weights come to stay
        forget_peak(device)
        before = held_bytes(device)
        network(batch)
    return max(peak_bytes(device) - before, 0) + batch.nbytes
