"""A heart that beats on a grid: label maps of the phantom's shapes over time, and the volumes that they should have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.data.phantom_heart import Heart, draw_heart

LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))


@dataclass(frozen=True)
class Beat:
    """Label maps (x, y, z, time), and per frame the left cavity's and wall's true volumes in ml."""

    labels: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    cavity_ml: NDArray[np.float64]
    wall_ml: NDArray[np.float64]

    @property
    def ejection_fraction_percent(self) -> float:
        """The true one, from the largest and the smallest volume."""
        return float(100 * (1 - self.cavity_ml.min() / self.cavity_ml.max()))


def draw_beat(
    spacing_mm: tuple[float, float, float],
    *,
    group: str = "NOR",
    seed: int = 0,
    frames: int = 12,
    first: int = 0,
    travel_slices: float = 0.0,
) -> Beat:
    """A beat of `frames` frames, ED in frame `first`, ES half a beat later; a voxel belongs to what its centre is in.

    The first slice begins at the base in ED; until ES the base comes down by `travel_slices` slices.
    """
    diastole, _, fraction = draw_heart(group, np.random.default_rng(seed))
    shortening = travel_slices * spacing_mm[2] / (diastole.equator + diastole.length - diastole.base)
    parts = ((1 - np.cos(2 * np.pi * (np.arange(frames) - first) / frames)) / 2).tolist()
    hearts = [
        diastole.contract(part * fraction, shortening=part * shortening, right_shortening=part / 2) for part in parts
    ]
    return Beat(
        np.stack([_voxelise(heart, diastole, spacing_mm) for heart in hearts], axis=3),
        spacing_mm,
        np.array([heart.cavity_ml() for heart in hearts]),
        np.array([heart.myocardium_ml() for heart in hearts]),
    )


def _voxelise(heart: Heart, diastole: Heart, spacing_mm: tuple[float, float, float]) -> NDArray[np.uint8]:
    half = int(np.ceil((diastole.radius + diastole.wall + diastole.right_width + 25) / spacing_mm[0]))
    in_plane = np.arange(-half, half + 1) * spacing_mm[0]
    slices = int(np.ceil(diastole.apex / spacing_mm[2])) + 1
    depth = (np.arange(slices) + 0.5) * spacing_mm[2]
    return heart.label_map(in_plane[:, None, None], in_plane[:, None], depth)
