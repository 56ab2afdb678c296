"""How many cases fit into memory side by side while they are read."""

import heapq
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path

from uumamba.core.errors import UumambaError
from uumamba.data.case import Case
from uumamba.imaging.files import read_size

BYTES_OF_A_PROCESS = 250_000_000
BYTES_PER_VOXEL, BYTES_PER_CHANNEL_VOXEL = 36, 4
"""Every channel stays as float32; a label map of float64, the costliest file, is there several times for a moment."""
SHARE_OF_FREE_MEMORY = 0.8
_LARGEST_FILES = 4
_MOST_VOXELS_PER_BYTE = 1040
"""No deflated file holds more."""


def processes_that_fit(
    cases: Sequence[Case], processes: int, *, free_bytes: int, measure: Callable[[Sequence[Path]], Sequence[int]]
) -> int:
    """At most `processes`, fewer if as many of the largest cases would not fit into `free_bytes`, at least 1.

    `measure` gives the voxels of images; it is not asked where even the most that a file can hold would fit.
    """
    files = {path for case in cases for path in case.images if path.is_file()}
    largest = heapq.nlargest(_LARGEST_FILES, files, key=lambda path: path.stat().st_size)
    channels = max((len(case.images) for case in cases), default=0)
    room = SHARE_OF_FREE_MEMORY * free_bytes
    most = max((path.stat().st_size for path in largest), default=0) * _MOST_VOXELS_PER_BYTE
    if processes * bytes_of_case(most, channels) <= room:
        return processes
    voxels = max(measure(largest), default=0)
    return max(1, min(processes, int(room / bytes_of_case(voxels, channels))))


def bytes_of_case(voxels: int, channels: int) -> int:
    """What a process holds at most while it checks a case of this size."""
    return BYTES_OF_A_PROCESS + voxels * (BYTES_PER_VOXEL + channels * BYTES_PER_CHANNEL_VOXEL)


def voxels_of(path: Path) -> int:
    """Voxels of an image, by its header; 0 if that cannot be read, which the check itself will tell."""
    try:
        return prod(read_size(path, max_dimensions=4).shape)
    except UumambaError:
        return 0
