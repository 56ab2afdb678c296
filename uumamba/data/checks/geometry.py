"""Grids that are unlike nearly all others: voxel size, and how the axes are stored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path

import numpy as np

from uumamba.data.checks.outliers import FEWEST_CASES, far_from_rest, largest_group
from uumamba.data.problem import Problem
from uumamba.imaging.grid import directions_of, join_numbers
from uumamba.imaging.image import FloatArray, Image
from uumamba.imaging.orientation import find_orientation

LEAST_SPACING_FACTOR = 3.0
"""A voxel size that differs by less is never told: 5 and 10 mm slices lie side by side in good data."""


def canonical_spacing_mm(image: Image) -> tuple[float, float, float]:
    """Spacing along the canonical axes, the slice axis of a thick stack last."""
    first, second, third = (image.spacing_mm[axis] for axis in find_orientation(image.affine).axes)
    return first, second, third


def axis_codes(affine: FloatArray) -> str:
    """The side of the patient to which each voxel axis runs most nearly, such as "LPS": left, posterior, superior."""
    directions = directions_of(affine)
    nearest = np.abs(directions).argmax(axis=0)
    return "".join(
        ("LR", "PA", "IS")[side][int(directions[side, axis] > 0)] for axis, side in enumerate(nearest.tolist())
    )


def spacing_problems(cases: Sequence[tuple[Path, tuple[float, float, float]]]) -> Iterator[Problem]:
    """Cases whose voxels are larger or smaller than nearly all others', along any canonical axis."""
    logs = [[log(spacing_mm[axis]) for _, spacing_mm in cases] for axis in range(3)]
    far = sorted({index for axis in logs for index in far_from_rest(axis, least=log(LEAST_SPACING_FACTOR))})
    if not far:
        return
    middle = join_numbers([float(np.exp(np.median(axis))) for axis in logs])
    for index in far:
        path, spacing_mm = cases[index]
        what = f"its spacing is {join_numbers(spacing_mm)} mm, in the middle of all cases {middle} mm"
        yield Problem(path, what, "check the spacing in its header against the scanner's", blocks=False, kind="spacing")


def orientation_problems(cases: Sequence[tuple[Path, str]]) -> Iterator[Problem]:
    """Cases whose axes are stored otherwise than those of nearly all others."""
    if len(cases) < FEWEST_CASES:
        return
    ((usual, often),) = Counter(codes for _, codes in cases).most_common(1)
    if len(cases) - often > largest_group(len(cases)):
        return
    for path, codes in cases:
        if codes != usual:
            what = f"its axes are stored as {codes}, those of {often} of {len(cases)} cases as {usual}"
            fix = "look at it in a viewer; if its header is right, nothing is to be done"
            yield Problem(path, what, fix, blocks=False, kind="orientation")
