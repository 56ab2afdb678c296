"""A coronary CT phantom: a heart with two thin coronary trees, about a thousandth of the volume, in ImageCAS's layout.

Directions on the heart's surface are (right, front, up) of the ellipsoid that the vessels run on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uumamba.core.files import atomic
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
from uumamba.data.phantom_tubes import Floats, LabelVolume, PhantomGrid, Tube, draw_tube, smooth_tube

FULL_IMAGECAS = PhantomGrid((512, 512, 275), (0.35, 0.35, 0.5))
"""The largest scans of ImageCAS."""
SMALL_IMAGECAS = PhantomGrid((48, 48, 40), (3.7, 3.7, 3.4))
"""The same field of view in voxels so large that a scan is read, learned from and predicted in a second."""

_FIELD_MM = np.array([179.2, 179.2, 137.5])
_HEART_MM = np.array([62.0, 55.0, 56.0])
_INFINITE = float("inf")
_SHEETS = ("v1", "v2-latest")
_SHARD = 200


@dataclass(frozen=True)
class Branch:
    """A coronary branch: its directions on the heart's surface, from root to tip, and its diameters (mm) at both."""

    name: str
    directions: tuple[tuple[float, float, float], ...]
    diameters_mm: tuple[float, float]


_LEFT_ROOT, _LEFT_FORK = (-0.12, 0.3, 0.93), (-0.35, 0.45, 0.8)
_DIAGONAL, _SECOND_DIAGONAL, _MARGINAL = (-0.3, 0.85, 0.4), (-0.35, 0.93, 0.0), (-0.8, 0.2, 0.55)
_RIGHT_ROOT, _ACUTE, _CRUX = (0.24, 0.42, 0.85), (0.9, 0.35, 0.1), (0.05, -0.88, -0.45)

LEFT_TREE = (
    Branch("left main", (_LEFT_ROOT, (-0.24, 0.38, 0.88), _LEFT_FORK), (4.0, 3.8)),
    Branch(
        "left anterior descending",
        (_LEFT_FORK, _DIAGONAL, _SECOND_DIAGONAL, (-0.45, 0.8, -0.45), (-0.5, 0.55, -0.8)),
        (3.6, 1.6),
    ),
    Branch("first diagonal", (_DIAGONAL, (-0.62, 0.76, 0.12), (-0.8, 0.6, -0.25)), (2.4, 1.5)),
    Branch("second diagonal", (_SECOND_DIAGONAL, (-0.66, 0.75, -0.3), (-0.75, 0.5, -0.6)), (2.0, 1.5)),
    Branch("circumflex", (_LEFT_FORK, _MARGINAL, (-0.95, -0.25, 0.3), (-0.75, -0.7, 0.1)), (3.4, 1.8)),
    Branch("obtuse marginal", (_MARGINAL, (-0.98, 0.1, 0.05), (-0.9, 0.05, -0.5)), (2.4, 1.5)),
)
RIGHT_TREE = (
    Branch(
        "right coronary",
        (_RIGHT_ROOT, (0.6, 0.6, 0.5), _ACUTE, (0.86, -0.15, -0.3), (0.5, -0.7, -0.5), _CRUX),
        (3.8, 2.4),
    ),
    Branch("posterior descending", (_CRUX, (-0.1, -0.6, -0.8), (-0.3, 0.0, -0.98)), (2.2, 1.5)),
    Branch("acute marginal", (_ACUTE, (0.75, 0.6, -0.3), (0.45, 0.7, -0.6)), (2.2, 1.5)),
)
_ORGANS = (
    Organ((0, -10, 0), (135, 100, _INFINITE), MUSCLE_HU),
    Organ((72, 0, 10), (58, 82, 150), LUNG_HU),
    Organ((-74, 0, 10), (54, 80, 150), LUNG_HU),
    Organ((0, -80, 0), (24, 24, _INFINITE), BONE_HU),
    Organ((0, 84, 0), (22, 7, _INFINITE), BONE_HU),
    Organ((0, 0, 0), (69, 61, 62), FAT_HU),
    Organ((0, 0, 0), (58, 51, 52), 110),
    Organ((-16, -4, -8), (20, 22, 30), 380),
    Organ((20, 8, -6), (18, 22, 28), 260),
    Organ((4, -22, 22), (26, 14, 16), 360),
    Organ((4, 6, 58), (14, 14, 22), 400),
)


def draw_coronaries(grid: PhantomGrid, random: np.random.Generator) -> tuple[LabelVolume, tuple[tuple[Tube, ...], ...]]:
    """A patient's label map (1 is coronary artery), and the branches of the left and of the right tree.

    The heart fills the field of view whatever its size; diameters go with it.
    """
    factors = grid.size_mm / _FIELD_MM
    heart = _HEART_MM * factors * random.uniform(0.92, 1.0, 3)
    wobble = random.normal(0, 0.02, (2, 3))
    trees = tuple(
        tuple(_tube(branch, heart, wobble[side], float(factors.min())) for branch in tree)
        for side, tree in enumerate((LEFT_TREE, RIGHT_TREE))
    )
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for tree in trees:
        for tube in tree:
            draw_tube(labels, grid, tube)
    return labels, trees


def render_coronaries(grid: PhantomGrid, random: np.random.Generator) -> tuple[CTVolume, LabelVolume]:
    """A patient's scan in HU and its label map, both (to the right, to the front, up)."""
    labels, _ = draw_coronaries(grid, random)
    organs = [organ.scaled(grid.size_mm / _FIELD_MM) for organ in _ORGANS]
    vessel, noise = random.uniform(330, 450), random.uniform(18, 32)
    return paint_ct(labels, grid, organs, random, vessel_hu=vessel, noise_hu=noise), labels


def write_phantom_imagecas(
    root: Path,
    *,
    numbers: Sequence[int] = range(1, 13),
    seed: int = 0,
    grid: PhantomGrid = SMALL_IMAGECAS,
    shards: bool = True,
) -> None:
    """Write patients `numbers` in shard folders (`1-200`, `201-400`, ...) or all in one, and the sheet of the splits.

    A patient depends on seed, number and grid alone. The sheet has as many of each patient's columns as the published
    one, about a quarter of the patients tested in each of its four splits.
    """
    for number in numbers:
        random = derive_generator(seed, "coronary phantom", number)
        low = (number - 1) // _SHARD * _SHARD + 1
        folder = root / f"{low}-{low + _SHARD - 1}" if shards else root
        image, labels = render_coronaries(grid, random)
        paths = (folder / f"{number}.img.nii.gz", folder / f"{number}.label.nii.gz")
        write_pair(*paths, image, labels, grid, Storage())
    _write_split_sheet(root / "imageCAS_data_split.xlsx", numbers)


def _tube(branch: Branch, heart: Floats, wobble: Floats, scale: float) -> Tube:
    directions = np.array(branch.directions) + wobble
    points = directions / np.linalg.norm(directions, axis=1, keepdims=True) * heart
    radii = np.linspace(*branch.diameters_mm, len(points)) / 2 * scale
    return smooth_tube(points, radii.tolist(), [1] * (len(points) - 1))


def _write_split_sheet(path: Path, numbers: Sequence[int]) -> None:
    """The published workbook: an outdated sheet with other numbers, and the one that counts, header in row 2."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    columns = [f"Split-{split}" for split in range(1, 5)]
    for sheet, offset in zip(_SHEETS, (10_000_000, 0), strict=True):
        rows = book.create_sheet(sheet)
        rows.append(["", "4-fold cross-validation"])
        rows.append(["FileName", *columns])
        for place, number in enumerate(numbers):
            rows.append([number + offset, *(_part(place, split, len(numbers)) for split in range(4))])
    with atomic(path) as temporary:
        book.save(temporary)


def _part(place: int, split: int, count: int) -> str:
    """Testing for a quarter of the places, Val for a twentieth, at least one, and Training for the rest."""
    turned = (place - split * count // 4) % count
    tested = max(1, round(count / 4))
    if turned < tested:
        return "Testing"
    return "Val" if turned < tested + max(1, round(count / 20)) else "Training"
