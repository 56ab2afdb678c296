"""What a predictor says of one image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Flag:
    """One reason to look at a case with care: a short `code` for tables and programs, a `sentence` for people."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Prediction:
    """A label map with what is known of its trustworthiness; all arrays lie on the image's grid, (x, y, z[, time]).

    `labels` is uint8. `confidence` maps each structure to the Dice that it is expected to have, in [0, 1], by the
    calibrated probabilities; None where it is not in the label map. `flags` are the reasons to look at the case.
    The maps are float32, or None unless they were asked for: `entropy` is that of a voxel's probabilities over
    log(classes), so in [0, 1]; `disagreement` is the mutual information (nats) between the class and the member of the
    ensemble or the mirrored copy that names it, None with only one opinion. Of regions, each a question of its own, the
    entropies are added up and taken over regions * log 2, and so is the information, in nats.
    """

    labels: NDArray[np.uint8]
    confidence: Mapping[str, float | None]
    flags: tuple[Flag, ...] = ()
    entropy: NDArray[np.float32] | None = None
    disagreement: NDArray[np.float32] | None = None
