"""ImageCAS's tree with tiny scans: a thin call of the package's own phantom."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.data.phantom_coronary import write_phantom_imagecas
from uumamba.data.phantom_tubes import PhantomGrid

TINY = PhantomGrid((28, 28, 24), (6.4, 6.4, 5.7))


def write_fake(root: Path, *, numbers: Sequence[int] = (*range(1, 8), 205), seed: int = 0, shards: bool = True) -> None:
    """Write shard folders, or one folder, and the sheet of the splits under `root`."""
    write_phantom_imagecas(root, numbers=numbers, seed=seed, grid=TINY, shards=shards)
