"""M&Ms's tree with tiny series: a thin call of the package's own phantom."""

from pathlib import Path

from uumamba.data.phantom_mnms import FEW, PhantomCounts, write_phantom_mnms


def write_fake(root: Path, *, counts: PhantomCounts = FEW, seed: int = 0) -> None:
    """Write `Training`, `Validation`, `Testing` and the table under `root`."""
    write_phantom_mnms(root, counts=counts, frames=4, seed=seed)
