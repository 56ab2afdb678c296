"""Where centrelines meet at a junction: a skeleton is drawn towards the crotch of a fork, the vessels' axes are not."""

from collections.abc import Sequence

import numpy as np

from uumamba.measures.curve import FloatArray, arc_lengths_mm, at_lengths, nearest_along_mm, resample

KINK_DEGREES = 25.0
"""A vessel that turns by more at a junction forks there: its centreline has a corner, and is not bridged smoothly."""
_FROM_RADII, _TO_RADII = 1.5, 3.0
_Arm = tuple[FloatArray, FloatArray]


def outward(points_mm: FloatArray, over_mm: float) -> FloatArray:
    """The unit vector in which a curve comes to its first point, over its first `over_mm`."""
    along = arc_lengths_mm(points_mm)
    back = at_lengths(points_mm, np.array([min(over_mm, along[-1])]))[0]
    direction = points_mm[0] - back
    unit: FloatArray = direction / max(float(np.linalg.norm(direction)), 1e-9)
    return unit


def with_corner(
    passing_mm: FloatArray, attached_mm: Sequence[FloatArray], node_mm: FloatArray, radius_mm: float
) -> tuple[FloatArray, FloatArray] | None:
    """A centreline that turns at a junction with a corner in it, and the corner; None if it goes on there.

    `attached_mm` are the centrelines that begin at the junction, whose ball has `radius_mm`. The corner is the point
    nearest to the axes of all of them, as they are from 1.5 to 3 radii away.
    """
    along, here = arc_lengths_mm(passing_mm), nearest_along_mm(passing_mm, node_mm)
    if min(here, along[-1] - here) < _TO_RADII * radius_mm:
        return None
    before, after = (_arm(passing_mm, here, side * radius_mm) for side in (-1, 1))
    if not turns(before[1], -after[1]):
        return None
    corner = _nearest_to([before, after, *((points[0], outward(points, radius_mm)) for points in attached_mm)])
    if np.linalg.norm(corner - node_mm) > _FROM_RADII * radius_mm:
        return None
    reach = _FROM_RADII * radius_mm
    points = np.vstack([passing_mm[along < here - reach], corner, passing_mm[along > here + reach]])
    return points, corner


def turns(before: FloatArray, after: FloatArray) -> bool:
    """Whether a vessel's directions (3,) before and after a junction differ by more than `KINK_DEGREES`."""
    lengths = float(np.linalg.norm(before) * np.linalg.norm(after))
    return bool(before @ after < np.cos(np.radians(KINK_DEGREES)) * lengths)


def meeting_point(points_mm: FloatArray, parent_mm: FloatArray, node_mm: FloatArray, radius_mm: float) -> FloatArray:
    """The point of another centreline, near a junction, that a straight line on from the first point meets."""
    direction = outward(points_mm, radius_mm)
    fine = resample(parent_mm, radius_mm / 20)
    apart = np.linalg.norm(fine - node_mm, axis=1)
    near = fine[apart < 2 * radius_mm + apart.min()]
    offsets = near - points_mm[0]
    forward = np.clip(offsets @ direction, 0, None)
    met: FloatArray = near[np.argmin(np.linalg.norm(offsets - forward[:, None] * direction, axis=1))]
    return met


def _arm(points: FloatArray, here: float, reach: float) -> _Arm:
    """A point of a curve beside `here`, and the direction from there to the junction."""
    far, near = at_lengths(points, here + reach * np.array([_TO_RADII, _FROM_RADII]))
    return near, (near - far) / max(float(np.linalg.norm(near - far)), 1e-9)


def _nearest_to(arms: Sequence[_Arm]) -> FloatArray:
    """The point with the smallest sum of squared distances to lines."""
    across = [np.eye(3) - np.outer(direction, direction) for _, direction in arms]
    normal = np.sum(across, axis=0)
    right = np.sum([matrix @ place for matrix, (place, _) in zip(across, arms, strict=True)], axis=0)
    point: FloatArray = np.linalg.lstsq(normal, right, rcond=None)[0]
    return point
