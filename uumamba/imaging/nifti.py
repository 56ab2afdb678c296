"""NIfTI-1 and NIfTI-2 files: a screen that no malformed file gets past, the voxels, and writing.

nibabel gives the header's layout. The voxels are taken from the bytes with numpy: after the screen there is nothing
left for a larger reader to do, and the header's 348 or 540 bytes are kept for writing a label map with the same ones.
Header extensions are not kept: they may hold a patient's name.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.core.files import atomic
from uumamba.imaging.grid import directions_of, join_numbers, spacing_of
from uumamba.imaging.image import FloatArray, Image, ImageSize
from uumamba.imaging.nifti_grid import resolve_affine
from uumamba.imaging.screen import check_dimensions, check_length
from uumamba.imaging.time_axis import TimeAxis, TimeUnit

_HEADERS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_MAGIC = {348: b"n+1", 540: b"n+2"}
_VOXEL_TYPES = {
    2: np.uint8, 4: np.int16, 8: np.int32, 16: np.float32, 64: np.float64,
    256: np.int8, 512: np.uint16, 768: np.uint32, 1024: np.int64, 1280: np.uint64,
}  # fmt: skip
_OTHER_TYPES = {1: "bits", 128: "RGB", 2304: "RGBA", 1536: "float128", **dict.fromkeys((32, 1792, 2048), "complex")}
_LARGEST_DEFLATE_RATIO = 1040
_BLOCK_BYTES = 1 << 20
_GZIP_LEVEL = 5
LABEL_INTENT, NO_INTENT = 1002, 0
"""The standard's codes for a label map, and for numbers of no declared kind."""
_DESCRIPTION = b"uumamba - research use only"


def read_nifti(path: Path, max_dimensions: int) -> Image:
    """Read a .nii or .nii.gz file: voxels in the file's type, or scaled to floating point where the header says so.

    Raises `InputError` for everything that is not a whole, scalar NIfTI image of 3 to `max_dimensions` axes.
    """
    with _open(path) as file:
        header = _parse_header(file.read(max(_HEADERS)), path)
        sizes = _sizes(header, path)
        shape = check_dimensions(sizes, max_dimensions, path)
        dtype = _voxel_type(header, path)
        slope, intercept = _scaling(header, path)
        affine, repairs = resolve_affine(header, path)
        voxels = _read_voxels(file, header, shape, dtype, path)
    if (slope, intercept) != (1.0, 0.0):
        with np.errstate(over="ignore", invalid="ignore"):
            voxels = voxels.astype(np.result_type(dtype, np.float32)) * slope + intercept
    return Image(voxels, affine, repairs, header.binaryblock, _time_axis(header) if len(shape) == 4 else None)


def nifti_size(path: Path, max_dimensions: int) -> ImageSize:
    """What `read_nifti` will give, from the header alone; raises `InputError` for a header that it would refuse."""
    with _open(path) as file:
        header = _parse_header(file.read(max(_HEADERS)), path)
    shape = check_dimensions(_sizes(header, path), max_dimensions, path)
    affine, _ = resolve_affine(header, path)
    return ImageSize(shape, affine, _voxel_type(header, path).itemsize)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Open a file, through gzip if its name says so; damage is an `InputError`."""
    compressed = path.name.lower().endswith(".gz")
    with path.open("rb") as file:
        if (file.read(2) == b"\x1f\x8b") != compressed:
            state, name = ("compressed", ".nii.gz") if not compressed else ("not compressed", ".nii")
            raise InputError(f"{path}: is {state} by gzip, whatever its name; rename it to {name} if it is NIfTI")
        file.seek(0)
        try:
            if compressed:
                with gzip.open(file) as content:
                    yield content
            else:
                yield file
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: cut short or damaged gzip file ({error}); copy or download it again") from None


def _parse_header(block: bytes, path: Path) -> nib.Nifti1Header:
    """The header in a file's first bytes, in either byte order; raises `InputError` if there is none."""
    sizes = {int.from_bytes(block[:4], "little"): "<", int.from_bytes(block[:4], "big"): ">"}
    size = next((size for size in sizes if size in _HEADERS), 0)
    if not size or len(block) < size:
        raise InputError(f"{path}: not a NIfTI file (no NIfTI header in its first bytes); check what it is")
    header = _HEADERS[size](block[:size], endianness=sizes[size], check=False)
    magic = bytes(header["magic"])[:3]
    if magic in (b"ni1", b"ni2"):
        raise InputError(f"{path}: a header without its image (of a .hdr and .img pair); convert both to one .nii.gz")
    if magic != _MAGIC[size]:
        raise InputError(f"{path}: not a NIfTI file (magic {magic!r} instead of {_MAGIC[size]!r}); convert it to NIfTI")
    return header


def _sizes(header: nib.Nifti1Header, path: Path) -> list[int]:
    """Sizes along all axes that the header names, at least 1 each."""
    dimensions, *sizes = (int(size) for size in header["dim"])
    if not 1 <= dimensions <= 7 or min(sizes[:dimensions]) < 1:
        dim = join_numbers(header["dim"], " ")
        raise InputError(f"{path}: its header gives impossible sizes (dim {dim}); export it again")
    return sizes[:dimensions]


def _voxel_type(header: nib.Nifti1Header, path: Path) -> np.dtype[Any]:
    """The voxels' type with the file's byte order; raises `InputError` for what is not one number per voxel."""
    code = int(header["datatype"])
    if code not in _VOXEL_TYPES:
        name = _OTHER_TYPES.get(code, "unknown")
        raise InputError(f"{path}: its voxels are {name} (data type {code}); integers or floating point are needed")
    return np.dtype(_VOXEL_TYPES[code]).newbyteorder(header.endianness)


def _scaling(header: nib.Nifti1Header, path: Path) -> tuple[float, float]:
    """Slope and intercept; a slope that is 0 or not finite means none, as in the standard and nibabel."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(intercept):
        raise InputError(f"{path}: its scl_slope is {slope:g} but its scl_inter {intercept:g}; set both or neither")
    return slope, intercept


def _time_axis(header: nib.Nifti1Header) -> TimeAxis:
    """The fourth axis; every unit but those of time counts as unknown."""
    units: dict[int, TimeUnit] = {8: "sec", 16: "msec", 24: "usec"}
    unit = units.get(int(header["xyzt_units"]) & 56, "unknown")
    return TimeAxis(float(header["pixdim"][4]), float(header["toffset"]), unit)


def _read_voxels(
    file: BinaryIO | gzip.GzipFile, header: nib.Nifti1Header, shape: tuple[int, ...], dtype: np.dtype[Any], path: Path
) -> NDArray[Any]:
    """Voxels in the file's order, first axis fastest; the file is read to its end, where gzip has its checksum."""
    offset = float(header["vox_offset"])
    if not len(header.binaryblock) + 4 <= offset <= path.stat().st_size * _LARGEST_DEFLATE_RATIO:
        raise InputError(f"{path}: its voxels begin at byte {offset:g}, inside the header or behind the file's end")
    count = int(np.prod(shape, dtype=object))
    needed = int(offset) + count * dtype.itemsize
    compressed = isinstance(file, gzip.GzipFile)
    most = path.stat().st_size * (_LARGEST_DEFLATE_RATIO if compressed else 1)
    check_length(most, needed, path)
    file.seek(int(offset))
    voxels = file.read(needed - int(offset))
    check_length(int(offset) + len(voxels), needed, path)
    while compressed and file.read(_BLOCK_BYTES):
        continue
    return np.frombuffer(voxels, dtype, count).reshape(shape, order="F")


def write_nifti(path: Path, data: NDArray[Any], header: nib.Nifti1Header) -> None:
    """Write `data` (x, y, z[, time]) in its own type under a header, atomically; equal input gives equal bytes."""
    header = header.copy()
    header.set_data_dtype(data.dtype)
    header["dim"] = [data.ndim, *data.shape, *[1] * (7 - data.ndim)]
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["cal_min"], header["cal_max"] = 0, 0
    header["descrip"] = _DESCRIPTION
    offset = len(header.binaryblock) + 4
    header["vox_offset"] = offset
    stored = data.astype(data.dtype.newbyteorder(header.endianness), copy=False)
    content = header.binaryblock + bytes(4) + stored.tobytes(order="F")
    if path.name.lower().endswith(".gz"):
        content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def header_like(like: Image, *, intent: int) -> nib.Nifti1Header:
    """The header for something on `like`'s grid: the input's own, geometry untouched, or one made from the affine.

    Texts that may name a patient are left out.
    """
    if not like.header:
        header = header_from(like.affine, time=like.time)
    else:
        header = _HEADERS[len(like.header)](like.header, endianness=_byte_order(like.header), check=False)
    header["intent_code"] = intent
    for name in ("intent_p1", "intent_p2", "intent_p3"):
        header[name] = 0
    for name in ("intent_name", "aux_file", "db_name", "data_type"):
        if name in header:
            header[name] = b""
    return header


def header_from(
    affine: FloatArray, sform_scale_mm: float | None = None, time: TimeAxis | None = None
) -> nib.Nifti1Header:
    """A NIfTI-1 header with a grid's pixdim, sform and qform, all the same, and a series' time axis.

    `sform_scale_mm` writes that spacing into the sform instead of the true one and leaves the qform out, as ACDC's
    files have it with 1: pixdim alone stays true.
    """
    header = nib.Nifti1Header()
    header.set_xyzt_units("mm", "sec")
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    if sform_scale_mm is not None:
        untrue = affine.copy()
        untrue[:3, :3] = directions_of(affine) * sform_scale_mm
        header.set_sform(untrue, 2)
        header["qform_code"] = 0
    header["pixdim"][1:4] = spacing_of(affine)
    if time is not None:
        header.set_xyzt_units("mm", time.unit)
        header["pixdim"][4], header["toffset"] = time.step, time.start
    return header


def _byte_order(header: bytes) -> str:
    return "<" if int.from_bytes(header[:4], "little") == len(header) else ">"
