"""Analytic vessels: tubes along curves in space whose lengths and diameters are known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Curve:
    """A curve as dense points (n, 3) in mm, with the radius of the tube around each of them (n,)."""

    points_mm: np.ndarray
    radii_mm: np.ndarray

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())


def straight(
    direction: Sequence[float], length_mm: float, radius_mm: float, start: Sequence[float] = (0, 0, 0)
) -> Curve:
    """A cylinder."""
    unit = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    points = np.asarray(start, dtype=float) + np.linspace(0, length_mm, 1500)[:, None] * unit
    return Curve(points, np.full(len(points), radius_mm))


def arc(turn_mm: float, angle: float, radius_mm: float) -> Curve:
    """A bent tube of radius `turn_mm` over an angle in radians; 2 pi makes a torus."""
    at = np.linspace(0, angle, 3000)
    points = np.stack([turn_mm * np.cos(at), turn_mm * np.sin(at), 0 * at], axis=1)
    return Curve(points, np.full(len(points), radius_mm))


def helix(turn_mm: float, pitch_mm: float, turns: float, radius_mm: float) -> Curve:
    """A coil around z."""
    at = np.linspace(0, 2 * np.pi * turns, 4000)
    points = np.stack([turn_mm * np.cos(at), turn_mm * np.sin(at), pitch_mm * at / 2 / np.pi], axis=1)
    return Curve(points, np.full(len(points), radius_mm))


def bulging(direction: Sequence[float], length_mm: float, radius_mm: float, change_mm: float, at_mm: float) -> Curve:
    """A cylinder whose radius changes by `change_mm` around `at_mm`: an aneurysm, or, below 0, a stenosis."""
    tube = straight(direction, length_mm, radius_mm)
    along = np.linspace(0, length_mm, len(tube.points_mm))
    return Curve(tube.points_mm, radius_mm + change_mm * np.exp(-(((along - at_mm) / 5) ** 2)))


def draw(
    *curves: Curve, spacing_mm: Sequence[float] = (1.0, 1.0, 1.0), flat: bool = True, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The union of tubes as a mask (x, y, z), and the position in mm of its first voxel.

    The grid lies anywhere to the tubes, by `seed`. Ends are `flat` (closed curves too), or else round.
    """
    spacing = np.asarray(spacing_mm, dtype=float)
    points = np.vstack([curve.points_mm for curve in curves])
    widest = max(float(curve.radii_mm.max()) for curve in curves)
    shift = np.random.default_rng(seed).uniform(0, 1, 3) * spacing
    first = points.min(axis=0) - widest - 3 * spacing - shift
    shape = np.ceil((points.max(axis=0) + widest + 3 * spacing - first) / spacing).astype(int)
    places = np.indices(shape).reshape(3, -1).T * spacing + first
    mask = np.zeros(len(places), dtype=bool)
    for curve in curves:
        mask |= _within(places, curve, flat)
    return mask.reshape(shape), first


def _within(places: np.ndarray, curve: Curve, flat: bool) -> np.ndarray:
    widest = float(curve.radii_mm.max())
    apart, nearest = cKDTree(curve.points_mm).query(places, distance_upper_bound=1.01 * widest)
    near = np.isfinite(apart)
    nearest = np.where(near, nearest, 0)
    within = near & (apart < curve.radii_mm[nearest])
    if flat:
        for end, inner in ((0, 1), (-1, -2)):
            outward = curve.points_mm[end] - curve.points_mm[inner]
            at_end = nearest < 3 if end == 0 else nearest >= len(curve.points_mm) - 3
            within &= ~(at_end & ((places - curve.points_mm[end]) @ outward > 0))
    return within
