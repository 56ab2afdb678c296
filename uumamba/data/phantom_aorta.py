"""An aorta CT phantom: chest to groin with the 23 zones and branches of AortaSeg24, in its layout.

The iliac and renal arteries of both sides mirror each other: nothing but the side tells them apart.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from uumamba.core.seeding import derive_generator
from uumamba.data.phantom_ct import (
    BONE_HU,
    FAT_HU,
    LUNG_HU,
    MUSCLE_HU,
    CTVolume,
    Organ,
    Storage,
    paint_ct,
    write_pair,
)
from uumamba.data.phantom_tubes import LabelVolume, PhantomGrid, Tube, draw_tube, smooth_tube

FULL_AORTA = PhantomGrid((443, 443, 698), (1.0, 1.0, 1.0))
"""A scan of AortaSeg24."""
SMALL_AORTA = PhantomGrid((48, 48, 72), (9.2, 9.2, 9.7))
"""The same field of view in voxels so large that a scan is read, learned from and predicted in a second."""

_FIELD_MM = np.array([443.0, 443.0, 698.0])
_INFINITE = float("inf")
_CENTRELINE = (
    (6, 22, 165), (14, 34, 200), (14, 28, 238), (4, 8, 262), (-8, -14, 266), (-18, -34, 252), (-22, -44, 222),
    (-18, -44, 130), (-6, -30, 20), (-4, -24, -8), (-2, -22, -36), (-1, -20, -66), (0, -20, -165),
)  # fmt: skip
_AORTA_RADII = (16, 16, 15, 14, 13.5, 13, 12.5, 12, 11.5, 11, 10.5, 10, 9)
_AORTA_ZONES = (1, 1, 1, 3, 5, 7, 8, 9, 10, 12, 14, 17)
_FORK, _RIGHT_ILIAC = (0, -20, -165), (38, -28, -220)
_ONE_BRANCHES: tuple[tuple[int, ArrayLike, float], ...] = (
    (2, ((10, 18, 250), (24, 24, 285), (46, 16, 318)), 6.0),
    (4, ((-2, -3, 264), (-14, 6, 298), (-32, 0, 330)), 4.0),
    (6, ((-14, -26, 260), (-38, -24, 290), (-84, -20, 306)), 5.0),
    (11, ((-5, -27, 6), (2, 0, 6), (22, 18, 14)), 4.0),
    (13, ((-3, -23, -22), (-2, 2, -36), (-2, 14, -100)), 4.0),
)
_RIGHT_BRANCHES: tuple[tuple[tuple[int, int], ArrayLike, float], ...] = (
    ((15, 16), ((0, -21, -52), (34, -28, -58), (70, -44, -66)), 3.2),
    ((20, 21), (_RIGHT_ILIAC, (46, -52, -246), (40, -70, -286)), 3.6),
    ((22, 23), (_RIGHT_ILIAC, (58, -10, -266), (76, 26, -318)), 4.4),
    ((18, 19), (_FORK, (16, -24, -190), _RIGHT_ILIAC), 5.6),
)
"""Labels of the right and of the left vessel, its waypoints on the right, and its radius; the aorta comes last."""
_ORGANS = (
    Organ((0, -10, 0), (190, 130, _INFINITE), FAT_HU),
    Organ((0, -10, 0), (172, 112, _INFINITE), MUSCLE_HU),
    Organ((88, -5, 190), (66, 84, 150), LUNG_HU),
    Organ((-88, -5, 190), (64, 84, 150), LUNG_HU),
    Organ((70, 5, 25), (82, 80, 66), 105),
    Organ((-84, -25, 20), (38, 46, 48), 115),
    Organ((58, -52, -62), (26, 28, 52), 180),
    Organ((-58, -52, -62), (26, 28, 52), 180),
    Organ((-20, 35, 135), (58, 48, 52), 130),
    Organ((-26, 35, 130), (26, 28, 34), 330),
    Organ((0, -84, 0), (22, 24, _INFINITE), BONE_HU),
    Organ((95, -40, -270), (42, 38, 46), BONE_HU),
    Organ((-95, -40, -270), (42, 38, 46), BONE_HU),
)
_STORED = (
    Storage(backwards=(False, False, False)),
    Storage(backwards=(True, False, True)),
    Storage(axes=(0, 2, 1), backwards=(True, False, False)),
    Storage(tilt_degrees=4.0),
)
"""None of them has the identity as its direction matrix, which MetaImage counts to the left, to the back and up."""


def draw_aorta(grid: PhantomGrid, random: np.random.Generator) -> tuple[LabelVolume, tuple[Tube, ...]]:
    """A patient's label map with AortaSeg24's 23 numbers, and the tubes in the order in which they were drawn.

    The patient fills the field of view whatever its size; diameters go with it.
    """
    factors = grid.size_mm / _FIELD_MM * random.uniform(0.94, 1.0, 3)
    across, along = float(factors[:2].min()) * random.uniform(0.9, 1.15), random.normal(0, 2.5, 2)
    shift = np.array([0.0, *along])
    mirrored = np.array([-1.0, 1.0, 1.0])

    def tube(waypoints: ArrayLike, radii: Sequence[float], labels: Sequence[int], side: int = 0) -> Tube:
        points = (np.asarray(waypoints, dtype=np.float64) + shift) * factors * (mirrored if side else 1.0)
        return smooth_tube(points, [radius * across for radius in radii], labels)

    tubes = [tube(points, (radius, radius, 0.8 * radius), [label] * 2) for label, points, radius in _ONE_BRANCHES]
    tubes += [
        tube(points, (radius, radius, 0.85 * radius), [label] * 2, side)
        for both, points, radius in _RIGHT_BRANCHES
        for side, label in enumerate(both)
    ]
    tubes.append(tube(_CENTRELINE, _AORTA_RADII, _AORTA_ZONES))
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for each in tubes:
        draw_tube(labels, grid, each)
    return labels, tuple(tubes)


def render_aorta(grid: PhantomGrid, random: np.random.Generator) -> tuple[CTVolume, LabelVolume]:
    """A patient's scan in HU and its label map, both (to the right, to the front, up)."""
    labels, _ = draw_aorta(grid, random)
    organs = [organ.scaled(grid.size_mm / _FIELD_MM) for organ in _ORGANS]
    vessel, noise = random.uniform(270, 400), random.uniform(15, 28)
    return paint_ct(labels, grid, organs, random, vessel_hu=vessel, noise_hu=noise), labels


def write_phantom_aorta(
    root: Path, *, numbers: Sequence[int] = (1, 2, 4, 7, 9, 12), seed: int = 0, grid: PhantomGrid = SMALL_AORTA
) -> None:
    """Write `images/subjectNNN_CTA.mha` and `masks/subjectNNN_label.mha`, stored in four ways by turns.

    A subject depends on seed, number and grid alone.
    """
    for number in numbers:
        random = derive_generator(seed, "aorta phantom", number)
        image, labels = render_aorta(grid, random)
        name = f"subject{number:03d}"
        paths = (root / "images" / f"{name}_CTA.mha", root / "masks" / f"{name}_label.mha")
        write_pair(*paths, image, labels, grid, _STORED[number % len(_STORED)])
