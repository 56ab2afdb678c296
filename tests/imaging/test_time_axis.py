"""A series' label map keeps its time, as NIfTI, NRRD and MetaImage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from uumamba.imaging.files import read_image, read_label_map, write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import to_canonical
from uumamba.imaging.time_axis import TimeAxis, TimeUnit

MakeNifti = Callable[..., Path]
SERIES = np.random.default_rng(0).integers(0, 200, (5, 4, 3, 6)).astype(np.int16)
PIXDIM = [1, 1.5, 1.5, 10, 32.5, 0, 0, 0]
OBLIQUE = {
    "sform_code": 2, "srow_x": [0.143, 1.0024, 6.7192, -236.6], "srow_y": [-0.4736, 0.9026, -6.6648, 37.7],
    "srow_z": [-1.2746, -0.2229, 3.2301, 108.9], "pixdim": [1, 1.3672, 1.3672, 10, 0.04, 0, 0, 0],
}  # fmt: skip
KEPT = ["pixdim", "xyzt_units", "toffset", "sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "dim"]


@pytest.mark.parametrize(
    ("code", "unit", "step_ms"), [(8, "sec", 32500), (16, "msec", 32.5), (24, "usec", 0.0325), (0, "unknown", None)]
)
def test_units(make_nifti: MakeNifti, code: int, unit: TimeUnit, step_ms: float | None) -> None:
    path = make_nifti(SERIES, pixdim=PIXDIM, srow_x=[1.5, 0, 0, 0], srow_y=[0, 1.5, 0, 0], srow_z=[0, 0, 10, 0],
                      xyzt_units=2 + code, toffset=7)  # fmt: skip
    time = read_image(path, max_dimensions=4).time
    assert time == TimeAxis(32.5, 7.0, unit)
    assert time.step_ms == (None if step_ms is None else pytest.approx(step_ms))


@pytest.mark.parametrize("step", [0.0, -1.0, np.nan, np.inf])
def test_a_step_that_is_none(step: float) -> None:
    assert TimeAxis(step, unit="msec").step_ms is None


def test_one_volume_has_no_time(make_nifti: MakeNifti) -> None:
    assert read_image(make_nifti(SERIES[..., 0])).time is None
    assert read_image(make_nifti(SERIES[..., :1]), max_dimensions=4).time is None


@pytest.mark.parametrize("fields", [OBLIQUE, {"pixdim": [1, 1.5, 1.5, 10, 1, 1, 1, 1], "xyzt_units": 0}])
@pytest.mark.parametrize("layout", [{}, {"big_endian": True}, {"nifti2": True}], ids=["little", "big", "nifti2"])
def test_a_series_label_map_has_its_images_header(
    make_nifti: MakeNifti, tmp_path: Path, fields: dict[str, Any], layout: dict[str, Any]
) -> None:
    source = make_nifti(SERIES, **({"xyzt_units": 2 + 8, "toffset": 3} | fields), **layout)
    image = read_image(source, max_dimensions=4)
    write_label_map(tmp_path / "labels.nii.gz", SERIES % 4, image)
    before, after = nib.load(source), nib.load(tmp_path / "labels.nii.gz")
    for name in KEPT:
        np.testing.assert_array_equal(before.header[name], after.header[name], err_msg=name)
    np.testing.assert_array_equal(np.asarray(after.dataobj), SERIES % 4)
    assert read_image(tmp_path / "labels.nii.gz", max_dimensions=4).time == image.time


def test_simpleitk_sees_a_series_label_map_on_its_images_grid(make_nifti: MakeNifti, tmp_path: Path) -> None:
    source = make_nifti(SERIES, **OBLIQUE, xyzt_units=2 + 8)
    write_label_map(tmp_path / "labels.nii.gz", SERIES % 4, read_image(source, max_dimensions=4))
    image, label_map = SimpleITK.ReadImage(str(source)), SimpleITK.ReadImage(str(tmp_path / "labels.nii.gz"))
    assert label_map.IsSameImageGeometryAs(image)
    assert label_map.GetSpacing()[3] == pytest.approx(0.04)


@pytest.mark.parametrize("source", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("target", [".nii.gz", ".nrrd", ".mha"])
def test_every_format_keeps_the_frames_distance(tmp_path: Path, source: str, target: str) -> None:
    affine = np.diag([1.5, 1.5, 8, 1])
    write_image(tmp_path / f"a{source}", Image(SERIES, affine, time=TimeAxis(32.5, 4.0, "msec")))
    image = read_image(tmp_path / f"a{source}", max_dimensions=4)
    unit = "msec" if source == ".nii.gz" else "unknown"
    assert image.time == TimeAxis(32.5, 4.0, unit)
    write_label_map(tmp_path / f"b{target}", SERIES % 4, image)
    label_map = read_image(tmp_path / f"b{target}", max_dimensions=4)
    np.testing.assert_array_equal(label_map.data, SERIES % 4)
    assert label_map.time == TimeAxis(32.5, 4.0, unit if target == ".nii.gz" else "unknown")


def test_turning_keeps_time(make_nifti: MakeNifti) -> None:
    image = read_image(make_nifti(SERIES, **OBLIQUE, xyzt_units=2 + 8), max_dimensions=4)
    assert to_canonical(image)[0].time == image.time


def test_one_label_map_for_a_whole_series(make_nifti: MakeNifti, tmp_path: Path) -> None:
    image = read_image(make_nifti(SERIES, **OBLIQUE), max_dimensions=4)
    write_label_map(tmp_path / "one.nii.gz", np.ones(image.shape, np.uint8), image)
    assert read_label_map(tmp_path / "one.nii.gz").time is None
