"""NRRD and MetaImage (.mha) files through SimpleITK, behind a screen of their text headers.

SimpleITK trusts what a header says: the screen makes sure of one number per voxel, plausible sizes and as many bytes
as promised before SimpleITK sees the file, and keeps ITK's own messages off the user's screen.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import SimpleITK

from uumamba.core.errors import InputError
from uumamba.core.files import atomic
from uumamba.imaging.grid import check_spacing, directions_of, spacing_of, straighten
from uumamba.imaging.image import FloatArray, Image, ImageSize
from uumamba.imaging.screen import check_dimensions, check_length
from uumamba.imaging.time_axis import TimeAxis

_LONGEST_HEADER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20
_AUTOMATIC_WINDOW = 47
"""zlib's `wbits` for zlib and gzip streams alike."""
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_META_TYPES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4,
    "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
_NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "float"), 4),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), 4),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t", "signed long long"), 8),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t", "double"), 8),
}


@dataclass(frozen=True)
class _Promise:
    """What a text header promises of the bytes behind it."""

    shape: tuple[int, ...]
    voxel_bytes: int
    compressed: bool
    oriented: bool


def read_nrrd_or_mha(path: Path, max_dimensions: int) -> Image:
    """Read a .nrrd or .mha file, voxels in the file's type; raises `InputError` for what is malformed or not scalar."""
    promise, shape = _screened(path, max_dimensions)
    with _refused(path):
        image = SimpleITK.ReadImage(str(path))
    if image.GetSize() != promise.shape or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path}: its header contradicts itself about its sizes; export the image again")
    data = SimpleITK.GetArrayFromImage(image).T.reshape(shape, order="F")
    affine, repairs = _affine_of(image, path)
    if not promise.oriented:
        repairs += ("the header has no orientation: axes were taken as left, posterior, superior; sides are unsure",)
    time = TimeAxis(image.GetSpacing()[3], image.GetOrigin()[3]) if len(shape) == 4 else None
    return Image(data, affine, repairs, time=time)


def nrrd_or_mha_size(path: Path, max_dimensions: int) -> ImageSize:
    """What `read_nrrd_or_mha` will give, from the header alone; raises `InputError` for what it would refuse there."""
    promise, shape = _screened(path, max_dimensions, whole=False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    with _refused(path):
        reader.ReadImageInformation()
    return ImageSize(shape, _affine_of(reader, path)[0], promise.voxel_bytes)


def write_nrrd_or_mha(path: Path, image: Image) -> None:
    """Write an image's data (in its own type), affine and the research-use note, compressed and atomically."""
    itk_image = SimpleITK.GetImageFromArray(np.ascontiguousarray(image.data.T), isVector=False)
    dimensions = image.data.ndim
    direction = np.eye(dimensions)
    direction[:3, :3] = _LPS_TO_RAS @ directions_of(image.affine)
    itk_image.SetDirection(direction.ravel().tolist())
    time = image.time or TimeAxis(1.0)
    itk_image.SetSpacing([*spacing_of(image.affine).tolist(), time.step][:dimensions])
    itk_image.SetOrigin([*(_LPS_TO_RAS @ image.affine[:3, 3]).tolist(), time.start][:dimensions])
    itk_image.SetMetaData("Comment", "uumamba - research use only")
    with atomic(path) as temporary, _quiet():
        SimpleITK.WriteImage(itk_image, str(temporary), useCompression=True)


def _screened(path: Path, max_dimensions: int, *, whole: bool = True) -> tuple[_Promise, tuple[int, ...]]:
    """What the header promises, and the sizes without superfluous axes.

    As many bytes are there as it promises, if the file is to be read as a `whole`.
    """
    with path.open("rb") as file:
        promise = _screen_nrrd(file, path) if path.name.lower().endswith(".nrrd") else _screen_mha(file, path)
        shape = check_dimensions(promise.shape, max_dimensions, path)
        if whole:
            _check_bytes(file, promise, path)
    return promise, shape


def _affine_of(image: SimpleITK.Image | SimpleITK.ImageFileReader, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """The affine in RAS of what SimpleITK has read, and what was repaired in it."""
    spacing_mm = np.array(image.GetSpacing()[:3])
    check_spacing(spacing_mm, path, "header")
    dimensions = image.GetDimension()
    affine = np.eye(4)
    affine[:3, :3] = _LPS_TO_RAS @ np.reshape(image.GetDirection(), (dimensions, dimensions))[:3, :3] * spacing_mm
    affine[:3, 3] = _LPS_TO_RAS @ image.GetOrigin()[:3]
    return straighten(affine, path)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """What SimpleITK refuses is an `InputError`; its warnings stay off the screen."""
    try:
        with _quiet():
            yield
    except RuntimeError as error:
        raise InputError(f"{path}: SimpleITK cannot read it ({_reason(error)}); export the image again") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ITK's warnings off the screen while the block runs."""
    before = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(before)


def _reason(error: RuntimeError) -> str:
    """The line of SimpleITK's message that says something: ITK's own, or the last of a NRRD's."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "ITK ERROR: " in line or line.startswith("[nrrd]")]
    return (telling or lines or ["no reason given"])[-1].rpartition("): ")[2]


def _header_lines(file: IO[bytes], path: Path) -> Iterator[str]:
    """A text header line by line; `InputError` if it is not text or never ends."""
    while file.tell() < _LONGEST_HEADER_BYTES:
        line = file.readline(_LONGEST_HEADER_BYTES)
        if not line.endswith(b"\n"):
            break
        yield line.decode("utf-8", errors="replace").rstrip("\r\n")
    raise InputError(f"{path}: its header has no end; check what the file is, or copy it again")


def _screen_mha(file: IO[bytes], path: Path) -> _Promise:
    """Read a MetaImage header; the file then stands at its first voxel."""
    fields: dict[str, str] = {}
    for number, line in enumerate(_header_lines(file, path)):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or (number == 0 and key not in ("ObjectType", "NDims")):
            raise InputError(f"{path}: not a MetaImage file (line {number + 1} of its header is no 'key = value')")
        if key in fields:
            raise InputError(f"{path}: its header gives {key} twice; export the image again")
        fields[key] = value
        if key == "ElementDataFile":
            break
    if fields["ElementDataFile"] != "LOCAL":
        data_file = fields["ElementDataFile"]
        raise InputError(f"{path}: its voxels are in another file ({data_file}); save both as one .mha file")
    if fields.get("BinaryData", "True").lower() == "false":
        raise InputError(f"{path}: its voxels are written as text; save it as binary")
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise InputError(f"{path}: has {fields['ElementNumberOfChannels']} numbers per voxel; one is needed")
    compressed = fields.get("CompressedData", "False").lower() == "true"
    there = str(path.stat().st_size - file.tell())
    if compressed and fields.get("CompressedDataSize") != there:
        promised = fields.get("CompressedDataSize", "no number of")
        raise InputError(f"{path}: its header promises {promised} compressed bytes, {there} are there; copy it again")
    if fields.get("HeaderSize", "0") != "0":
        raise InputError(f"{path}: HeaderSize {fields['HeaderSize']} is not supported; save the image again")
    return _Promise(
        _sizes(fields.get("DimSize", ""), fields.get("NDims", ""), path),
        _voxel_bytes(fields.get("ElementType", ""), _META_TYPES, path),
        compressed,
        not {"TransformMatrix", "Rotation", "Orientation"}.isdisjoint(fields),
    )


def _screen_nrrd(file: IO[bytes], path: Path) -> _Promise:
    """Read a NRRD header; the file then stands at its first voxel."""
    lines = _header_lines(file, path)
    if not next(lines).startswith("NRRD000"):
        raise InputError(f"{path}: not a NRRD file (it does not begin with NRRD000); check what it is")
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            break
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            fields[key.strip().lower()] = value.strip()
    if "data file" in fields or "datafile" in fields:
        raise InputError(f"{path}: its voxels are in another file; save both as one .nrrd file")
    if any(fields.get(skip, "0") != "0" for skip in ("byte skip", "byteskip", "line skip", "lineskip")):
        raise InputError(f"{path}: a byte or line skip before the voxels is not supported; save the image again")
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise InputError(f"{path}: its encoding is {encoding!r}; raw and gzip are read; save it again as one of them")
    kinds = set(fields.get("kinds", "").lower().split())
    if not kinds <= {"domain", "space", "time", "none", "???"}:
        raise InputError(f"{path}: has axes of kinds {fields['kinds']!r}; one number per voxel is needed")
    return _Promise(
        _sizes(fields.get("sizes", ""), fields.get("dimension", ""), path),
        _voxel_bytes(fields.get("type", "").lower(), _NRRD_TYPES, path),
        encoding != "raw",
        "space directions" in fields,
    )


def _sizes(sizes: str, dimensions: str, path: Path) -> tuple[int, ...]:
    """Sizes from a header's text; `InputError` unless they are as many positive integers as it has dimensions."""
    words = sizes.split()
    if str(len(words)) != dimensions or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise InputError(f"{path}: its header gives impossible sizes ({sizes!r}, {dimensions!r} axes); export it again")
    return tuple(int(word) for word in words)


def _voxel_bytes(name: str, types: dict[str, int], path: Path) -> int:
    """Bytes per voxel of a named type; `InputError` for a type that is unknown or not the same on every machine."""
    if name not in types:
        raise InputError(f"{path}: its voxels are of type {name!r}; integers or floating point are needed")
    return types[name]


def _check_bytes(file: IO[bytes], promise: _Promise, path: Path) -> None:
    """Raise `InputError` if fewer voxels lie behind the header than promised, or their compression is damaged."""
    needed = int(np.prod(promise.shape, dtype=object)) * promise.voxel_bytes
    there = path.stat().st_size - file.tell()
    if promise.compressed:
        stream = zlib.decompressobj(_AUTOMATIC_WINDOW)
        there = 0
        try:
            while not stream.eof and (block := file.read(_BLOCK_BYTES)):
                there += len(stream.decompress(block))
        except zlib.error as error:
            raise InputError(f"{path}: its compressed voxels are damaged ({error}); copy it again") from None
        there = there if stream.eof else min(there, needed - 1)
    check_length(there, needed, path)
