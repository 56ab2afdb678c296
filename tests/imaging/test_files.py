"""Label maps in and out, images out, names and folders."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from uumamba.core.errors import InputError
from uumamba.imaging.files import (
    LABEL_MARKS,
    find_images,
    image_stem,
    read_image,
    read_label_map,
    read_size,
    without_mark,
    write_image,
    write_label_map,
    write_map,
)
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import to_canonical

MakeNifti = Callable[..., Path]
SUFFIXES = [".nii.gz", ".nii", ".nrrd", ".mha"]
OBLIQUE = {
    "sform_code": 2, "srow_x": [0.143, 1.0024, 6.7192, -236.6], "srow_y": [-0.4736, 0.9026, -6.6648, 37.7],
    "srow_z": [-1.2746, -0.2229, 3.2301, 108.9], "pixdim": [1, 1.3672, 1.3672, 10, 0.04, 0, 0, 0],
}  # fmt: skip
ACDC = {
    "sform_code": 2,
    "srow_x": [-1, 0, 0, 0],
    "srow_y": [0, -1, 0, 0],
    "pixdim": [1, 1.5625, 1.5625, 10, 1, 1, 1, 1],
}
GEOMETRY = ["pixdim", "sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_x", "xyzt_units"]


def image_on(turn: NDArray[Any], spacing: tuple[float, ...], origin: tuple[float, ...]) -> Image:
    """A random image on an oblique grid."""
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing)
    affine[:3, 3] = origin
    return Image(np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32), affine)


@pytest.mark.parametrize(
    ("dtype", "highest", "expected"),
    [
        ("uint8", 3, "uint8"),
        ("int64", 255, "uint8"),
        ("float32", 3, "uint8"),
        ("float64", 300, "int16"),
        ("int32", 40000, "int32"),
    ],
)
def test_label_maps_keep_their_numbers(make_nifti: MakeNifti, dtype: str, highest: int, expected: str) -> None:
    labels = np.zeros((5, 4, 3), dtype)
    labels[1, 2, 0], labels[3, 3, 2] = 2, highest
    label_map = read_label_map(make_nifti(labels))
    np.testing.assert_array_equal(label_map.data, labels)
    assert label_map.data.dtype == expected


def test_labels_behind_a_rounded_slope_are_whole(make_nifti: MakeNifti) -> None:
    stored = np.array([0, 85, 170, 255] * 3, np.uint8).reshape(2, 3, 2)
    label_map = read_label_map(make_nifti(stored, scl_slope=1 / 85, scl_inter=0))
    np.testing.assert_array_equal(label_map.data, stored // 85)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (
            0.5,
            "float32",
            "1 of 60 labels are not whole numbers, such as 0.5; is this an image, or a label map resampled",
        ),
        (-1, "int16", "its labels go from -1 to 0; labels are numbers from 0 to 2147483647; is this an image"),
        (-2, "float32", "its labels go from -2 to 0"),
        (2**31, "int64", "its labels go from 0 to 2.14748e.09"),
        (1e20, "float64", r"its labels go from 0 to 1e\+20"),
        (np.nan, "float32", "1 of 60 voxels are NaN"),
    ],
)
def test_no_label_maps(make_nifti: MakeNifti, value: float, dtype: str, message: str) -> None:
    labels = np.zeros((5, 4, 3), dtype)
    labels[1, 1, 1] = value
    with pytest.raises(InputError, match=message):
        read_label_map(make_nifti(labels))


@pytest.mark.parametrize("fields", [{}, OBLIQUE, ACDC, {"sform_code": 0}], ids=["plain", "oblique", "acdc", "none"])
@pytest.mark.parametrize("layout", [{}, {"big_endian": True}, {"nifti2": True}], ids=["little", "big", "nifti2"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_label_maps_take_over_the_inputs_header(
    make_nifti: MakeNifti,
    voxels: NDArray[Any],
    tmp_path: Path,
    fields: dict[str, Any],
    layout: dict[str, Any],
    suffix: str,
) -> None:
    source = make_nifti(voxels, scl_slope=2, scl_inter=1, cal_max=7, descrip=b"John Doe", **fields, **layout)
    image = read_image(source)
    labels = np.random.default_rng(1).integers(0, 256, voxels.shape)
    path = tmp_path / f"labels{suffix}"
    write_label_map(path, labels, image)
    read_back = read_label_map(path)
    np.testing.assert_array_equal(read_back.data, labels)
    np.testing.assert_array_equal(read_back.affine, image.affine)
    assert read_back.repairs == image.repairs
    before, after = nib.load(source).header, nib.load(path).header
    assert type(before) is type(after)
    for name in GEOMETRY:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
    assert bytes(after["descrip"]).rstrip(b"\0") == b"uumamba - research use only"
    assert (after.get_data_dtype(), float(after["cal_max"]), after.get_slope_inter()) == (np.uint8, 0, (None, None))
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), labels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_maps_are_numbers_on_the_inputs_grid(
    make_nifti: MakeNifti, voxels: NDArray[Any], tmp_path: Path, suffix: str
) -> None:
    source = make_nifti(voxels, scl_slope=2, intent_code=1002, **OBLIQUE)
    image = read_image(source)
    values = np.random.default_rng(1).random(voxels.shape)
    path = tmp_path / f"entropy{suffix}"
    write_map(path, values, image)
    read_back = read_image(path)
    np.testing.assert_array_equal(read_back.data, values.astype(np.float32))
    require_same_grid(image, read_back, "image", "map")
    if suffix in (".nii.gz", ".nii"):
        before, after = nib.load(source).header, nib.load(path).header
        for name in GEOMETRY:
            np.testing.assert_array_equal(before[name], after[name], err_msg=name)
        assert (after.get_data_dtype(), int(after["intent_code"])) == (np.float32, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((5, 4, 3), np.nan), "60 of 60 voxels are NaN"),
        (np.ones((3, 4, 5)), "the values have shape 3 x 4 x 5, th"),
    ],
)
def test_wrong_maps_are_not_written(tmp_path: Path, values: NDArray[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_map(tmp_path / "map.nii", values, image_on(np.eye(3), (1, 1, 1), (0, 0, 0)))
    assert list(tmp_path.iterdir()) == []


def test_simpleitk_sees_a_label_map_on_its_images_grid(
    make_nifti: MakeNifti, voxels: NDArray[Any], tmp_path: Path
) -> None:
    source = make_nifti(voxels, **OBLIQUE)
    write_label_map(tmp_path / "labels.nii.gz", np.abs(voxels) % 4, read_image(source))
    image, label_map = SimpleITK.ReadImage(str(source)), SimpleITK.ReadImage(str(tmp_path / "labels.nii.gz"))
    assert label_map.IsSameImageGeometryAs(image)
    assert label_map.GetPixelIDTypeAsString() == "8-bit unsigned integer"


def test_no_text_of_the_input_is_taken_over(make_nifti: MakeNifti, voxels: NDArray[Any], tmp_path: Path) -> None:
    texts = dict.fromkeys(("descrip", "db_name", "aux_file", "intent_name"), b"Doe")
    write_label_map(tmp_path / "labels.nii", voxels % 4, read_image(make_nifti(voxels, **texts)))
    assert b"Doe" not in (tmp_path / "labels.nii").read_bytes()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turn=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda parts: np.linalg.norm(parts) > 0.1),
    spacing=st.tuples(*[st.floats(0.2, 12)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    mirrored=st.booleans(),
)
def test_every_format_keeps_every_grid(
    tmp_path: Path, turn: list[float], spacing: tuple[float, ...], origin: tuple[float, ...], mirrored: bool
) -> None:
    image = image_on(Rotation.from_quat(turn).as_matrix() * (1, 1, -1 if mirrored else 1), spacing, origin)
    labels = (np.abs(image.data) * 100).astype(np.uint8)
    for suffix in SUFFIXES:
        write_image(tmp_path / f"image{suffix}", image)
        read_back = read_image(tmp_path / f"image{suffix}")
        np.testing.assert_array_equal(read_back.data, image.data)
        np.testing.assert_allclose(read_back.affine, image.affine, atol=1e-4)
        assert read_back.repairs == ()
        for other in SUFFIXES:
            write_label_map(tmp_path / f"labels{other}", labels, read_back)
            label_map = read_label_map(tmp_path / f"labels{other}")
            np.testing.assert_array_equal(label_map.data, labels)
            require_same_grid(image, label_map, "image", "labels")


def test_acdcs_header_trap_can_be_written(tmp_path: Path) -> None:
    image = image_on(np.diag([-1.0, -1, 1]), (1.5625, 1.5625, 10), (0, 0, 0))
    write_image(tmp_path / "acdc.nii.gz", image, sform_scale_mm=1.0)
    header = nib.load(tmp_path / "acdc.nii.gz").header
    np.testing.assert_array_equal(header.get_best_affine(), np.diag([-1, -1, 1, 1]))
    assert (int(header["sform_code"]), int(header["qform_code"])) == (2, 0)
    read_back = read_image(tmp_path / "acdc.nii.gz")
    np.testing.assert_array_equal(read_back.affine, image.affine)
    assert len(read_back.repairs) == 1
    with pytest.raises(InputError, match=r"sform_scale_mm is for NIfTI files only; .mha has no sform"):
        write_image(tmp_path / "acdc.mha", image, sform_scale_mm=1.0)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_series_are_written_and_read(tmp_path: Path, suffix: str) -> None:
    image = image_on(np.eye(3), (1.5, 1.5, 8), (1, 2, 3))
    series = Image(np.stack([image.data, image.data + 1], axis=-1), image.affine)
    write_image(tmp_path / f"a{suffix}", series)
    read_back = read_image(tmp_path / f"a{suffix}", max_dimensions=4)
    np.testing.assert_array_equal(read_back.data, series.data)
    np.testing.assert_allclose(read_back.affine, series.affine)
    write_label_map(tmp_path / f"one{suffix}", np.ones(series.shape, np.uint8), read_back)
    require_same_grid(read_back, read_label_map(tmp_path / f"one{suffix}"), "a", "one")
    write_label_map(tmp_path / f"all{suffix}", np.ones(series.data.shape, np.uint8), read_back)
    assert read_image(tmp_path / f"all{suffix}", max_dimensions=4).data.shape == (5, 4, 3, 2)


def test_a_canonical_images_labels_are_written_on_the_canonical_grid(
    make_nifti: MakeNifti, voxels: NDArray[Any], tmp_path: Path
) -> None:
    canonical, _ = to_canonical(read_image(make_nifti(voxels, **ACDC)))
    write_label_map(tmp_path / "labels.nii.gz", np.ones(canonical.shape, np.uint8), canonical)
    label_map = read_label_map(tmp_path / "labels.nii.gz")
    require_same_grid(canonical, label_map, "image", "labels")
    assert label_map.repairs == ()


def test_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    image = image_on(np.eye(3), (1, 1, 1), (0, 0, 0))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_label_map(tmp_path / name, np.ones(image.shape, np.uint8), image)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.full((5, 4, 3), 256),
            "labels from 256 to 256 .int64. cannot be written as uint8; integers from 0 to 255 can",
        ),
        (np.full((5, 4, 3), -1), "labels from -1 to -1"),
        (np.ones((5, 4, 3), np.float32), "labels from 1 to 1 .float32. cannot be written"),
        (np.ones((3, 4, 5), np.uint8), "the labels have shape 3 x 4 x 5, their image 5 x 4 x 3; bring them back"),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_wrong_labels_leave_the_old_file(tmp_path: Path, labels: NDArray[Any], message: str, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    path.write_text("old")
    with pytest.raises(InputError, match=message):
        write_label_map(path, labels, image_on(np.eye(3), (1, 1, 1), (0, 0, 0)))
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "old"


def test_masks_are_labels(tmp_path: Path) -> None:
    image = image_on(np.eye(3), (1, 1, 1), (0, 0, 0))
    write_label_map(tmp_path / "new" / "mask.nii.gz", image.data > 0, image)
    np.testing.assert_array_equal(read_label_map(tmp_path / "new" / "mask.nii.gz").data, image.data > 0)
    assert [found.name for found in (tmp_path / "new").iterdir()] == ["mask.nii.gz"]


@pytest.mark.parametrize(
    "write", [write_image, lambda path, image: write_label_map(path, np.ones((5, 4, 3), int), image)]
)
def test_unknown_suffix(tmp_path: Path, write: Callable[[Path, Image], None]) -> None:
    with pytest.raises(
        InputError, match=r"a.png: not an image file's name; .nii.gz, .nii, .nrrd, .mha are read and written"
    ):
        write(tmp_path / "a.png", image_on(np.eye(3), (1, 1, 1), (0, 0, 0)))


def test_stems_and_folders(tmp_path: Path) -> None:
    assert image_stem(Path("a") / "1.img.nii.gz") == "1.img"
    assert [image_stem(Path(f"case.7{suffix}")) for suffix in (*SUFFIXES, ".NII.GZ")] == ["case.7"] * 5
    for name in ("b.nii", "a.nii.gz", "c.MHA", "notes.txt", ".12-d.nii.gz"):
        (tmp_path / name).touch()
    for name in ("folder.nii", "hidden/.cache", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "deep.nrrd").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.nii.gz", "b.nii", "c.MHA", "folder.nii/deep.nrrd"]
    assert [path.name for path in find_images(tmp_path / ".hidden")] == ["deep.nrrd"]
    with pytest.raises(InputError, match="no such folder"):
        find_images(tmp_path / "none")
    with pytest.raises(InputError, match="not an image file's name"):
        image_stem(Path("notes.txt"))


@pytest.mark.parametrize(
    ("stem", "case"),
    [
        ("a_gt", "a"),
        ("a_label", "a"),
        ("a_labels", "a"),
        ("1.label", "1"),
        ("a_SEG", "a"),
        ("A_Mask", "A"),
        ("a", "a"),
        ("_gt", "_gt"),
        ("a_gt_frame", "a_gt_frame"),
        ("label_a", "label_a"),
    ],
)
def test_label_maps_by_name(stem: str, case: str) -> None:
    assert without_mark(stem, LABEL_MARKS) == case


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frames", [1, 4])
def test_the_size_in_the_header_is_that_of_the_image(suffix: str, frames: int, tmp_path: Path) -> None:
    image = image_on(Rotation.from_euler("xyz", [5, 20, 60], degrees=True).as_matrix(), (1.5, 1.25, 8), (3, -4, 5))
    if frames > 1:
        image = Image(np.repeat(image.data[..., None], frames, axis=3), image.affine)
    path = tmp_path / f"image{suffix}"
    write_image(path, image)
    size, read = read_size(path, max_dimensions=4), read_image(path, max_dimensions=4)
    assert size.shape == read.data.shape == image.data.shape
    assert size.voxel_bytes == 4
    np.testing.assert_array_equal(size.affine, read.affine)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_size_that_cannot_be_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    with pytest.raises(InputError, match="no such file"):
        read_size(path)
    path.write_bytes(b"something else\n" * 40)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_size(path)
