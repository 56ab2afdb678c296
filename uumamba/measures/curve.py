"""Curves in space as points in mm: smoothed, resampled, extended, and measured along themselves."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline

FloatArray = NDArray[np.float64]
_FEWEST_POINTS = 5
_LOWEST_WEIGHT = 1e-6


def arc_lengths_mm(points_mm: FloatArray) -> FloatArray:
    """Distance (n,) from the first point along points (n, 3); the last one is the length."""
    steps = np.linalg.norm(np.diff(points_mm, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def resample(points_mm: FloatArray, step_mm: float) -> FloatArray:
    """Points at equal distances of at most `step_mm` along the curve, from its first point to its last."""
    along = arc_lengths_mm(points_mm)
    count = max(2, int(np.ceil(along[-1] / step_mm - 1e-9)) + 1)
    return at_lengths(points_mm, np.linspace(0, along[-1], count))


def at_lengths(points_mm: FloatArray, along_mm: FloatArray) -> FloatArray:
    """The points (n, 3) of a curve at distances (n,) from its first point."""
    along = arc_lengths_mm(points_mm)
    return np.stack([np.interp(along_mm, along, points_mm[:, axis]) for axis in range(3)], axis=1)


def smooth(points_mm: FloatArray, cutoff_mm: float, *, weights: FloatArray | None, closed: bool) -> FloatArray:
    """A cubic smoothing spline through points (n, 3), at the same places along them.

    Waves shorter than `cutoff_mm` lose more than half of their height and longer ones next to nothing: a circle of
    radius r keeps all but (cutoff / 2 pi r)^4 of it. Points of weight 0 are ignored and bridged. The last point of a
    closed curve is its first.
    """
    count = len(points_mm)
    if count < _FEWEST_POINTS:
        return points_mm
    given = np.ones(count) if weights is None else np.maximum(weights, _LOWEST_WEIGHT)
    along = arc_lengths_mm(points_mm) + 1e-9 * np.arange(count)
    spread = (cutoff_mm / (2 * np.pi)) ** 4 * count / along[-1]
    if not closed:
        whole: FloatArray = make_smoothing_spline(along, points_mm, w=given, lam=spread)(along)
        return whole
    inner = slice(0, count - 1)
    turns = (-1, 0, 1)
    thrice = np.concatenate([along[inner] + turn * along[-1] for turn in turns])
    spline = make_smoothing_spline(thrice, np.tile(points_mm[inner], (3, 1)), w=np.tile(given[inner], 3), lam=spread)
    smoothed: FloatArray = spline(along)
    smoothed[-1] = smoothed[0]
    return smoothed


def tangents(points_mm: FloatArray, *, closed: bool) -> FloatArray:
    """Unit vectors (n, 3) along a curve."""
    if closed:
        onward, back = np.roll(points_mm[:-1], -1, axis=0), np.roll(points_mm[:-1], 1, axis=0)
        differences = np.vstack([onward - back, (onward - back)[:1]])
    else:
        differences = np.gradient(points_mm, axis=0)
    lengths = np.linalg.norm(differences, axis=1, keepdims=True)
    units: FloatArray = differences / np.where(lengths > 0, lengths, 1)
    return units


def nearest_along_mm(points_mm: FloatArray, place: FloatArray) -> float:
    """How far along a curve the point nearest to `place` (3,) lies."""
    starts, steps = points_mm[:-1], np.diff(points_mm, axis=0)
    square = np.maximum((steps**2).sum(axis=1), 1e-12)
    part = np.clip(((place - starts) * steps).sum(axis=1) / square, 0, 1)
    apart = np.linalg.norm(starts + part[:, None] * steps - place, axis=1)
    nearest = int(np.argmin(apart))
    return float(arc_lengths_mm(points_mm)[nearest] + part[nearest] * np.sqrt(square[nearest]))
