"""AortaSeg24's tree with tiny scans: a thin call of the package's own phantom."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.data.phantom_aorta import write_phantom_aorta
from uumamba.data.phantom_tubes import PhantomGrid

TINY = PhantomGrid((32, 32, 48), (13.8, 13.8, 14.5))


def write_fake(root: Path, *, numbers: Sequence[int] = (1, 2, 4, 7, 12), seed: int = 0) -> None:
    """Write `images` and `masks` under `root`."""
    write_phantom_aorta(root, numbers=numbers, seed=seed, grid=TINY)
