"""ACDC's tree with tiny images: a thin call of the package's own phantom."""

from pathlib import Path

from uumamba.data.phantom import PhantomPatient, PhantomSize, write_phantom_acdc

TINY = PhantomSize(voxels=40, spacing_mm=6.0, slice_spacing_mm=20.0)


def write_fake(root: Path, *, patients: int = 5, test_patients: int = 1, seed: int = 3) -> tuple[PhantomPatient, ...]:
    """Write `database/{training,testing}` under `root`: about 40 x 40 x 5 voxels, two frames per patient."""
    return write_phantom_acdc(root, patients=patients, test_patients=test_patients, seed=seed, size=TINY)
