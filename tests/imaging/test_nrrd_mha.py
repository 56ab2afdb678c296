"""NRRD and MetaImage: what SimpleITK gets to see, and what the screen stops."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.imaging.files import read_image

VOXELS = np.random.default_rng(0).integers(-100, 1000, (5, 4, 3)).astype(np.int16)
MHA = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "1 2 3",
    "ElementSpacing": "1.5 1.5 8", "DimSize": "5 4 3", "ElementType": "MET_SHORT",
}  # fmt: skip
NRRD = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "5 4 3",
    "kinds": "domain domain domain", "space directions": "(1.5,0,0) (0,1.5,0) (0,0,8)",
    "endian": "little", "encoding": "raw", "space origin": "(1,2,3)",
}  # fmt: skip
AFFINE = np.array([[-1.5, 0, 0, -1], [0, -1.5, 0, -2], [0, 0, 8, 3], [0, 0, 0, 1]])


def write_mha(folder: Path, changes: dict[str, str | None], content: bytes = VOXELS.tobytes("F")) -> Path:
    """A MetaImage with header fields changed, or left out where None."""
    fields = {key: value for key, value in {**MHA, **changes}.items() if value is not None and key != "ElementDataFile"}
    fields["ElementDataFile"] = changes.get("ElementDataFile") or "LOCAL"
    path = folder / "a.mha"
    path.write_bytes("".join(f"{key} = {value}\n" for key, value in fields.items()).encode() + content)
    return path


def write_nrrd(folder: Path, changes: dict[str, str | None], content: bytes = VOXELS.tobytes("F")) -> Path:
    """A NRRD with header fields changed, or left out where None."""
    fields = {key: value for key, value in {**NRRD, **changes}.items() if value is not None}
    path = folder / "a.nrrd"
    header = "NRRD0004\n# a comment: to skip\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())
    path.write_bytes(header.encode() + b"key:=value\n\n" + content)
    return path


@pytest.mark.parametrize("write", [write_mha, write_nrrd])
def test_whole_files_are_read(tmp_path: Path, write: Any) -> None:
    image = read_image(write(tmp_path, {}))
    np.testing.assert_array_equal(image.data, VOXELS)
    np.testing.assert_array_equal(image.affine, AFFINE)
    assert image.repairs == ()


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_every_type_that_simpleitk_writes(tmp_path: Path, suffix: str, compressed: bool, dtype: str) -> None:
    path = tmp_path / f"a{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.abs(VOXELS.T).astype(dtype)), str(path), compressed)
    np.testing.assert_array_equal(read_image(path).data, np.abs(VOXELS).astype(dtype).astype(np.float32))


def test_gzip_and_big_endian_nrrd(tmp_path: Path) -> None:
    big: NDArray[Any] = VOXELS.astype(">i2")
    image = read_image(write_nrrd(tmp_path, {"encoding": "gz", "endian": "big"}, gzip.compress(big.tobytes("F"))))
    np.testing.assert_array_equal(image.data, VOXELS)


def test_other_patient_spaces_are_understood(tmp_path: Path) -> None:
    image = read_image(write_nrrd(tmp_path, {"space": "RAS"}))
    np.testing.assert_array_equal(image.affine, np.diag([-1, -1, 1, 1]) @ AFFINE)


def test_trailing_axis_of_one_is_dropped(tmp_path: Path) -> None:
    identity = " ".join(str(int(value)) for value in np.eye(4).ravel())
    changes = {
        "NDims": "4",
        "DimSize": "5 4 3 1",
        "TransformMatrix": identity,
        "Offset": "1 2 3 0",
        "ElementSpacing": "1.5 1.5 8 1",
    }
    image = read_image(write_mha(tmp_path, changes))
    np.testing.assert_array_equal(image.data, VOXELS)
    np.testing.assert_array_equal(image.affine, AFFINE)


@pytest.mark.parametrize(
    ("write", "changes"),
    [
        (write_mha, {"TransformMatrix": None}),
        (write_nrrd, {"space directions": None, "space": None, "space origin": None}),
    ],
)
def test_no_orientation_is_recorded(tmp_path: Path, write: Any, changes: dict[str, str | None]) -> None:
    assert read_image(write(tmp_path, changes)).repairs == (
        "the header has no orientation: axes were taken as left, posterior, superior; sides are unsure",
    )


@pytest.mark.parametrize(
    ("write", "changes", "message"),
    [
        (write_mha, {"DimSize": "5 4"}, r"impossible sizes \('5 4', '3' axes\)"),
        (write_mha, {"DimSize": "5 4 -3"}, "impossible sizes"),
        (write_mha, {"DimSize": "99999 99999 99999"}, "cut short: its header promises 1999940000599998 bytes"),
        (write_mha, {"DimSize": None}, "impossible sizes"),
        (write_mha, {"NDims": "2", "DimSize": "20 3"}, r"has 2 axes \(20 x 3\)"),
        (write_mha, {"NDims": "5", "DimSize": "1 5 4 1 3"}, "has 5 axes"),
        (write_mha, {"ElementType": "MET_STRING"}, "its voxels are of type 'MET_STRING'"),
        (write_mha, {"ElementNumberOfChannels": "3"}, "has 3 numbers per voxel; one is needed"),
        (
            write_mha,
            {"ElementDataFile": "a.raw"},
            r"its voxels are in another file \(a.raw\); save both as one .mha file",
        ),
        (write_mha, {"BinaryData": "False"}, "its voxels are written as text"),
        (write_mha, {"ElementSpacing": "0 1.5 8"}, r"SimpleITK cannot read it \(Zero-valued spacing"),
        (write_mha, {"ElementSpacing": "1.5 1.5 800"}, "the spacing in its header is 1.5 x 1.5 x 800 mm"),
        (write_mha, {"TransformMatrix": "1 0 0 0 1 0 0 0.2 0.98"}, "the axes are sheared by 11.5 degrees"),
        (write_mha, {"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "Bad direction, determinant is 0"),
        (write_mha, {"CompressedData": "True", "CompressedDataSize": "120"}, "its compressed voxels are damaged"),
        (write_mha, {"CompressedData": "True"}, "its header promises no number of compressed bytes, 120 are there"),
        (write_mha, {"CompressedData": "True", "CompressedDataSize": "119"}, "promises 119 compressed bytes, 120 are"),
        (
            write_mha,
            {"CompressedData": "True", "CompressedDataSize": "-4"},
            "promises -4 compressed bytes, 120 are there",
        ),
        (write_mha, {"HeaderSize": "40"}, "HeaderSize 40 is not supported"),
        (write_mha, {"Offset": "1 2 3\nDimSize = 5 4 3"}, "its header gives DimSize twice"),
        (write_nrrd, {"byte skip": "8"}, "a byte or line skip before the voxels is not supported"),
        (write_nrrd, {"sizes": "5 4"}, r"impossible sizes \('5 4', '3' axes\)"),
        (write_nrrd, {"sizes": "5 4 x"}, "impossible sizes"),
        (write_nrrd, {"sizes": "9 9 9"}, "cut short: its header promises 1458 bytes, at most 120 are there"),
        (write_nrrd, {"type": "block"}, "its voxels are of type 'block'"),
        (
            write_nrrd,
            {"kinds": "vector domain domain"},
            "has axes of kinds 'vector domain domain'; one number per voxel",
        ),
        (write_nrrd, {"encoding": "bzip2"}, "its encoding is 'bzip2'; raw and gzip are read"),
        (write_nrrd, {"data file": "a.raw"}, "its voxels are in another file; save both as one .nrrd file"),
        (write_nrrd, {"space directions": "(1.5,0,0) (0,1.5,0) (0,2,8)"}, "the axes are sheared by 14 degrees"),
        (write_nrrd, {"space directions": "(0,0,0) (0,1.5,0) (0,0,8)"}, "SimpleITK cannot read it"),
        (write_nrrd, {"space directions": "nonsense"}, "SimpleITK cannot read it"),
        (write_nrrd, {"encoding": "gzip"}, "its compressed voxels are damaged"),
    ],
)
def test_malformed_files_are_one_line(
    tmp_path: Path, write: Any, changes: dict[str, str | None], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, changes)
    with pytest.raises(InputError, match=message) as error:
        read_image(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_cut_is_one_line(
    tmp_path: Path, suffix: str, compressed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / f"a{suffix}", tmp_path / f"cut{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS.T), str(whole), compressed)
    content = whole.read_bytes()
    for length in range(1, len(content), 9):
        cut.write_bytes(content[:length])
        with pytest.raises(InputError) as error:
            read_image(cut)
        assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
@pytest.mark.parametrize(
    "content", [b"patient,ejection fraction\n" * 40, b"\n" * 99, bytes(2_000_000), b"NRRD0004\n" * 9]
)
def test_other_files_under_these_names(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"not a MetaImage file|not a NRRD file|its header has no end|its encoding is"):
        read_image(tmp_path / name)
