"""NIfTI files with any fault, made from header fields."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

MakeNifti = Callable[..., Path]


def nifti_bytes(voxels: NDArray[Any], *, nifti2: bool = False, big_endian: bool = False, **fields: Any) -> bytes:
    """A NIfTI file: truthful 1 mm RAS header for `voxels`, then `fields` written over it unchecked."""
    header_class = nib.Nifti2Header if nifti2 else nib.Nifti1Header
    header = header_class(endianness=">" if big_endian else "<")
    header.set_data_dtype(voxels.dtype)
    header["dim"] = [voxels.ndim, *voxels.shape, *[1] * (7 - voxels.ndim)]
    header["pixdim"] = 1
    header.set_sform(np.eye(4), 1)
    header["xyzt_units"] = 2
    header["vox_offset"] = header.sizeof_hdr + 4
    header["magic"] = b"n+2" if nifti2 else b"n+1"
    for name, value in fields.items():
        header[name] = value
    stored = voxels.astype(voxels.dtype.newbyteorder(header.endianness))
    return bytes(header.binaryblock) + bytes(4) + stored.tobytes(order="F")


@pytest.fixture
def make_nifti(tmp_path: Path) -> MakeNifti:
    """`make_nifti(voxels, name="a.nii.gz", **header fields)` -> path of the file."""

    def make(voxels: NDArray[Any], name: str = "a.nii.gz", **fields: Any) -> Path:
        path = tmp_path / name
        content = nifti_bytes(voxels, **fields)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return make


@pytest.fixture
def voxels() -> NDArray[np.int16]:
    """A small image with no symmetry."""
    return np.random.default_rng(0).integers(-100, 1000, (5, 4, 3)).astype(np.int16)
