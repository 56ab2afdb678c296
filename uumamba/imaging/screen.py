"""Checks that every image file passes before its voxels are read."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.core.errors import GeometryError, InputError
from uumamba.imaging.grid import join_numbers

_LFS_POINTER = b"version https://git-lfs"


def check_file(path: Path) -> None:
    """Raise `InputError` for a file that is missing, empty, no file, or a Git-LFS pointer."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file but a folder or device; name an image file in it")
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if not start:
        raise InputError(f"{path}: the file is empty; copy or download it again")
    if start == _LFS_POINTER:
        raise InputError(f"{path}: a Git-LFS pointer, not the image itself; fetch it with 'git lfs pull'")


def check_dimensions(sizes: Sequence[int], max_dimensions: int, path: Path) -> tuple[int, ...]:
    """Sizes without trailing axes of length 1 beyond three; `GeometryError` unless 3 to `max_dimensions` are left."""
    shape = tuple(sizes)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if 3 <= len(shape) <= max_dimensions:
        return shape
    wanted = "3 axes (x, y, z)" if max_dimensions == 3 else f"3 to {max_dimensions} axes (x, y, z, time)"
    way_out = "stack the slices to a volume" if len(shape) < 3 else "split it into one file per volume"
    raise GeometryError(f"{path}: has {len(shape)} axes ({join_numbers(shape)}); {wanted} are needed; {way_out}")


def check_length(bytes_there: int, bytes_needed: int, path: Path) -> None:
    """Raise `InputError` if a file holds fewer bytes than its header promises."""
    if bytes_there < bytes_needed:
        raise InputError(
            f"{path}: cut short: its header promises {bytes_needed} bytes, at most {bytes_there} are there; "
            f"copy or download it again"
        )
