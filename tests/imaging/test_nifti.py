"""Whole NIfTI files are read in every type; every malformed one is one clear line."""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image

MakeNifti = Callable[..., Path]
SCALARS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


@pytest.mark.parametrize("dtype", SCALARS)
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("nifti2", [False, True])
@pytest.mark.parametrize("name", ["a.nii", "A.NII.gz"])
def test_every_type_and_byte_order_is_read_as_float32(
    make_nifti: MakeNifti, dtype: str, big_endian: bool, nifti2: bool, name: str
) -> None:
    voxels = np.arange(60).reshape(5, 4, 3).astype(dtype)
    image = read_image(make_nifti(voxels, name, big_endian=big_endian, nifti2=nifti2))
    np.testing.assert_array_equal(image.data, voxels.astype(np.float32))
    assert (image.data.dtype, image.shape, image.repairs) == (np.dtype(np.float32), (5, 4, 3), ())


@pytest.mark.parametrize(("slope", "intercept"), [(2.0, -1000.0), (0.25, 0.5), (0.0, 7.0), (np.nan, np.nan)])
def test_slope_and_intercept_as_nibabel(
    make_nifti: MakeNifti, voxels: NDArray[np.int16], slope: float, intercept: float
) -> None:
    path = make_nifti(voxels, scl_slope=slope, scl_inter=intercept)
    np.testing.assert_allclose(read_image(path).data, nib.load(path).get_fdata(), rtol=1e-6)


def test_later_offset_is_respected(tmp_path: Path, make_nifti: MakeNifti, voxels: NDArray[np.int16]) -> None:
    content = make_nifti(voxels, "a.nii", vox_offset=512).read_bytes()
    path = tmp_path / "moved.nii"
    path.write_bytes(content[:352] + bytes(160) + content[352:])
    np.testing.assert_array_equal(read_image(path).data, voxels)


def test_trailing_axes_of_one_are_dropped(make_nifti: MakeNifti, voxels: NDArray[np.int16]) -> None:
    assert read_image(make_nifti(voxels.reshape(5, 4, 3, 1, 1))).data.shape == (5, 4, 3)


def test_four_axes_on_request(make_nifti: MakeNifti) -> None:
    series = np.arange(120, dtype=np.int16).reshape(5, 4, 3, 2)
    image = read_image(make_nifti(series), max_dimensions=4)
    np.testing.assert_array_equal(image.data, series)
    assert image.shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"datatype": 128}, r"its voxels are RGB \(data type 128\); integers or floating point are needed"),
        ({"datatype": 2304}, "its voxels are RGBA"),
        ({"datatype": 32}, "its voxels are complex"),
        ({"datatype": 1}, "its voxels are bits"),
        ({"datatype": 77}, r"its voxels are unknown \(data type 77\)"),
        ({"dim": [0, 5, 4, 3, 1, 1, 1, 1]}, r"impossible sizes \(dim 0 5 4 3 1 1 1 1\)"),
        ({"dim": [9, 5, 4, 3, 1, 1, 1, 1]}, "impossible sizes"),
        ({"dim": [3, 5, -4, 3, 1, 1, 1, 1]}, "impossible sizes"),
        ({"dim": [3, 5, 0, 3, 1, 1, 1, 1]}, "impossible sizes"),
        ({"dim": [7, *[30000] * 7]}, "has 7 axes"),
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "cut short: its header promises 54000000000352 bytes"),
        ({"dim": [2, 5, 12, 1, 1, 1, 1, 1]}, r"has 2 axes \(5 x 12\); 3 axes \(x, y, z\) are needed; stack the slices"),
        ({"dim": [4, 5, 4, 1, 3, 1, 1, 1]}, r"has 4 axes \(5 x 4 x 1 x 3\); .*; split it into one file per volume"),
        ({"dim": [5, 1, 2, 3, 1, 10, 1, 1]}, r"has 5 axes \(1 x 2 x 3 x 1 x 10\)"),
        ({"magic": b"ni1"}, "a header without its image"),
        ({"magic": b"abc"}, r"not a NIfTI file \(magic b'abc' instead of b'n\+1'\)"),
        ({"magic": b""}, "not a NIfTI file"),
        ({"vox_offset": 0}, "its voxels begin at byte 0, inside the header or behind the file's end"),
        ({"vox_offset": np.nan}, "its voxels begin at byte nan"),
        ({"vox_offset": 1e30}, r"its voxels begin at byte 1e\+30"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "its scl_slope is 2 but its scl_inter nan"),
        ({"pixdim": 0}, "the spacing in its pixdim is 0 x 0 x 0 mm"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_malformed_headers(
    make_nifti: MakeNifti, voxels: NDArray[np.int16], fields: dict[str, Any], message: str, name: str
) -> None:
    path = make_nifti(voxels, name, **fields)
    with pytest.raises(InputError, match=message) as error:
        read_image(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_voxels_that_are_no_numbers(make_nifti: MakeNifti, bad: float) -> None:
    voxels = np.zeros((5, 4, 3))
    voxels[1, 2] = bad
    with pytest.raises(InputError, match="3 of 60 voxels are NaN, infinite or beyond float32; replace them"):
        read_image(make_nifti(voxels))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.nii", b"", "the file is empty; copy or download it again"),
        ("a.nii.gz", b"", "the file is empty"),
        (
            "a.nii.gz",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "a Git-LFS pointer, .*git lfs pull",
        ),
        ("a.nii", b"patient,ejection fraction\n" * 40, r"not a NIfTI file \(no NIfTI header in its first bytes\)"),
        (
            "a.nii.gz",
            b"patient,ejection fraction\n" * 40,
            "is not compressed by gzip, whatever its name; rename it to .nii",
        ),
        ("a.nii", gzip.compress(b"a", mtime=0), "is compressed by gzip, whatever its name; rename it to .nii.gz"),
        ("a.nii", b"\x5c\x01\x00\x00", "not a NIfTI file"),
        ("a.nii.gz", gzip.compress(b"short", mtime=0), "not a NIfTI file"),
        ("a.nii.gz", b"\x1f\x8b", "cut short or damaged gzip file"),
    ],
)
def test_files_that_are_no_nifti(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_image(tmp_path / name)


def test_missing_file_folder_and_other_suffix(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no.nii: no such file"):
        read_image(tmp_path / "no.nii")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(InputError, match=r"not a file but a folder or device"):
        read_image(tmp_path / "folder.nii")
    with pytest.raises(InputError, match=r"a.hdr: not an image file's name; .nii.gz, .nii, .nrrd, .mha are read"):
        read_image(tmp_path / "a.hdr")


def test_every_cut_and_every_flipped_byte_is_one_line(tmp_path: Path, make_nifti: MakeNifti) -> None:
    whole = make_nifti(np.random.default_rng(0).integers(0, 999, (9, 8, 7)).astype(np.int16)).read_bytes()
    path = tmp_path / "cut.nii.gz"
    for length in range(1, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut short or damaged gzip file|not compressed by gzip") as error:
            read_image(path)
        assert "\n" not in str(error.value)
    path.write_bytes(whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:])
    with pytest.raises(InputError, match=r"CRC check failed"):
        read_image(path)


def test_cut_plain_file(tmp_path: Path, make_nifti: MakeNifti, voxels: NDArray[np.int16]) -> None:
    whole = make_nifti(voxels, "a.nii").read_bytes()
    (tmp_path / "cut.nii").write_bytes(whole[:-1])
    with pytest.raises(InputError, match="its header promises 472 bytes, at most 471 are there; copy or download"):
        read_image(tmp_path / "cut.nii")


def outcome(read: Callable[[Path], Image], path: Path) -> str:
    """The one line of an `InputError`, or "image" for three axes of voxels."""
    try:
        return "image" if read(path).data.ndim == 3 else "not three axes"
    except InputError as error:
        return str(error) if "\n" not in str(error) else "several lines"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 539), st.integers(0, 255)), max_size=12), nifti2=st.booleans())
def test_any_broken_header_is_an_image_or_one_line(
    tmp_path: Path, make_nifti: MakeNifti, changes: list[tuple[int, int]], nifti2: bool
) -> None:
    """The screen's law: whatever the bytes say, an `Image` or an `InputError` comes back, never anything else."""
    content = bytearray(make_nifti(np.ones((9, 8, 7), np.int16), "base.nii", nifti2=nifti2).read_bytes())
    for position, value in changes:
        content[position] = value
    path = tmp_path / "fuzzed.nii"
    path.write_bytes(content)
    for read in (read_image, read_label_map):
        assert outcome(read, path) == "image" or outcome(read, path).startswith(f"{path}: ")


def test_nothing_is_warned_about(
    make_nifti: MakeNifti, voxels: NDArray[np.int16], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(make_nifti(voxels, pixdim=[1, 2, 2, 9, 1, 1, 1, 1]))
    assert capfd.readouterr() == ("", "")
