"""Whether a case's files lie on one grid."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from uumamba.core.errors import GeometryError
from uumamba.data.problem import Problem
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image


def grid_problems(first: tuple[Path, Image], others: Sequence[tuple[Path, Image]]) -> Iterator[Problem]:
    """A problem, with both grids' numbers, for each of `others` that is not on the grid of the first image."""
    first_path, first_image = first
    for path, image in others:
        try:
            require_same_grid(first_image, image, str(first_path), str(path))
        except GeometryError as error:
            what, _, fix = str(error).removeprefix(f"{path}: ").rpartition("; ")
            yield Problem(path, what, fix, kind="grid")
