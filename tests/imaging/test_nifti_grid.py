"""The policy for NIfTI geometry: what is read as it is, what is repaired and recorded, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from uumamba.core.errors import InputError
from uumamba.imaging.image import Image
from uumamba.imaging.nifti_grid import resolve_affine

PATH = Path("scan.nii")


def make_header(
    sform: NDArray[Any] | None = None, qform: NDArray[Any] | None = None, pixdim: tuple[float, ...] | None = None
) -> nib.Nifti1Header:
    """A header with the forms given (codes 1), and pixdim from the qform or as given."""
    header = nib.Nifti1Header()
    if qform is not None:
        header.set_qform(qform, 1)
    if sform is not None:
        header.set_sform(sform, 1)
        header["pixdim"][1:4] = np.linalg.norm(sform[:3, :3], axis=0)
    if pixdim is not None:
        header["pixdim"][1:4] = pixdim
    header["xyzt_units"] = 2
    return header


def grid(
    spacing: tuple[float, ...] = (1.5, 1.5, 8), degrees: float = 0.0, origin: tuple[float, ...] = (9, 8, 7)
) -> NDArray[Any]:
    """An affine turned by `degrees` about an oblique axis."""
    affine = np.eye(4)
    turn = Rotation.from_rotvec(np.radians(degrees) * np.array([1, 2, 2]) / 3).as_matrix()
    affine[:3, :3] = turn * np.array(spacing)
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("degrees", [0, 10, 77, 180])
@pytest.mark.parametrize("mirror", [1, -1])
def test_truthful_headers_give_their_affine_without_repairs(degrees: float, mirror: int) -> None:
    affine = grid(degrees=degrees) @ np.diag([1, 1, mirror, 1])
    for forms in ({"sform": affine}, {"qform": affine}, {"sform": affine, "qform": affine}):
        found, repairs = resolve_affine(make_header(**forms), PATH)
        np.testing.assert_allclose(found, affine, atol=1e-5)
        assert repairs == ()


def test_acdc_trap_takes_the_spacing_from_pixdim() -> None:
    header = make_header(sform=np.diag([-1.0, -1, 1, 1]), pixdim=(1.5625, 1.5625, 10))
    header["sform_code"], header["xyzt_units"] = 2, 0
    affine, repairs = resolve_affine(header, PATH)
    np.testing.assert_array_equal(affine, np.diag([-1.5625, -1.5625, 10, 1]))
    assert repairs == ("the sform says 1 x 1 x 1 mm, pixdim 1.5625 x 1.5625 x 10 mm: pixdim's spacing was used",)


def test_acdc_trap_keeps_oblique_directions_and_origin() -> None:
    affine, _ = resolve_affine(make_header(sform=grid((1, 1, 1), 30), pixdim=(1.5, 1.5, 8)), PATH)
    np.testing.assert_allclose(affine, grid((1.5, 1.5, 8), 30), atol=1e-5)


def test_placeholder_pixdim_takes_the_spacing_from_the_sform() -> None:
    affine, repairs = resolve_affine(make_header(sform=grid(), pixdim=(1, 1, 1)), PATH)
    np.testing.assert_allclose(affine, grid())
    assert repairs == ("pixdim says 1 x 1 x 1 mm, the sform 1.5 x 1.5 x 8 mm: the sform's spacing was used",)


def test_two_different_spacings_without_a_placeholder_are_refused_with_both() -> None:
    with pytest.raises(
        InputError, match=r"scan.nii: pixdim says 1.5 x 1.5 x 5 mm, the sform 1.5 x 1.5 x 8 mm, and neither"
    ):
        resolve_affine(make_header(sform=grid(), pixdim=(1.5, 1.5, 5)), PATH)


def test_no_orientation_takes_the_standards_method_1_and_says_so() -> None:
    affine, repairs = resolve_affine(make_header(pixdim=(2, 3, 4)), PATH)
    np.testing.assert_array_equal(affine, np.diag([2, 3, 4, 1]))
    assert repairs == (
        "the header has no orientation: the axes were taken as right, anterior, superior; sides are unsure",
    )


@pytest.mark.parametrize("broken", [0, np.nan, np.inf, 1e30])
def test_broken_sform_gives_way_to_the_qform(broken: float) -> None:
    header = make_header(qform=grid(degrees=20))
    header["sform_code"] = 1
    header["srow_x"] = broken
    affine, repairs = resolve_affine(header, PATH)
    np.testing.assert_allclose(affine, grid(degrees=20), atol=1e-5)
    assert repairs == ("the sform (code 1) gives no orientation: the qform was used",)


def test_broken_qform_gives_way_to_the_sform() -> None:
    header = make_header(sform=grid(degrees=20))
    header["qform_code"], header["quatern_b"], header["quatern_c"] = 1, 0.9, 0.9
    affine, repairs = resolve_affine(header, PATH)
    np.testing.assert_allclose(affine, grid(degrees=20), atol=1e-5)
    assert repairs == ("the qform (code 1) gives no orientation: the sform was used",)


def test_no_form_usable_though_set_is_refused() -> None:
    header = make_header()
    header["sform_code"], header["qform_code"], header["quatern_b"] = 2, 1, np.nan
    with pytest.raises(InputError, match=r"its sform \(code 2\) and qform \(code 1\) give no orientation"):
        resolve_affine(header, PATH)


def test_forms_that_differ_a_little_prefer_the_sform_and_say_so() -> None:
    affine, repairs = resolve_affine(make_header(grid(degrees=5), grid(degrees=3, origin=(9, 8, 10))), PATH)
    np.testing.assert_allclose(affine, grid(degrees=5), atol=1e-5)
    assert len(repairs) == 1
    assert repairs[0].startswith("sform and qform are 1.")
    assert repairs[0].endswith("degrees and 3 mm apart: the sform was used")


def test_forms_on_different_sides_are_refused() -> None:
    mirrored = grid() @ np.diag([-1, 1, 1, 1])
    with pytest.raises(
        InputError, match="sform and qform contradict each other: axes 180 degrees apart, one the mirror image"
    ):
        resolve_affine(make_header(grid(), mirrored), PATH)


def test_forms_far_apart_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"contradict each other: axes .* degrees apart; set the code of the wrong one to 0"
    ):
        resolve_affine(make_header(grid(), grid(degrees=90)), PATH)


@pytest.mark.parametrize(
    "spacing", [(0, 1, 1), (-1.5, 1.5, 8), (np.nan, 1, 1), (np.inf, 1, 1), (1, 1, 101), (0.009, 1, 1)]
)
def test_impossible_spacing_is_refused_with_the_numbers(spacing: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"the spacing in its pixdim is .* mm; each must lie between 0.01 and 100 mm"):
        resolve_affine(make_header(sform=grid(), pixdim=spacing), PATH)


def test_absurd_sform_behind_a_placeholder_pixdim_is_refused() -> None:
    with pytest.raises(InputError, match="the spacing in its sform is 1500 x 1500 x 8000 mm"):
        resolve_affine(make_header(sform=grid((1500, 1500, 8000)), pixdim=(1, 1, 1)), PATH)


@pytest.mark.parametrize(("code", "name", "mm"), [(1, "metres", 1000.0), (3, "micrometres", 0.001)])
@pytest.mark.parametrize("form", ["sform", "qform"])
def test_other_units_are_converted_and_recorded(code: int, name: str, mm: float, form: str) -> None:
    in_unit = grid(degrees=15)
    in_unit[:3] /= mm
    header = make_header(**{form: in_unit})
    header["xyzt_units"] = code | 8
    affine, repairs = resolve_affine(header, PATH)
    np.testing.assert_allclose(affine, grid(degrees=15), atol=1e-4)
    assert repairs == (f"the header's unit is {name}: converted to millimetres",)


def shear(affine: NDArray[Any], degrees: float) -> NDArray[Any]:
    """The affine with its slice axis tilted towards its y axis."""
    sheared = affine.copy()
    along_y = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    length = np.linalg.norm(affine[:3, 2])
    radians = np.radians(degrees)
    sheared[:3, 2] = np.cos(radians) * affine[:3, 2] + np.sin(radians) * length * along_y
    return sheared


def test_small_shear_is_straightened_and_recorded() -> None:
    affine, repairs = resolve_affine(make_header(sform=shear(grid(degrees=25), 0.05)), PATH)
    image = Image(np.zeros((2, 2, 2)), affine)
    directions = affine[:3, :3] / image.spacing_mm
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(image.spacing_mm, (1.5, 1.5, 8), rtol=1e-6)
    np.testing.assert_allclose(affine, grid(degrees=25), atol=8 * np.radians(0.05))
    assert repairs == ("the axes were 0.05 degrees off right angles: straightened",)


@pytest.mark.parametrize("qform", [None, grid()])
def test_gantry_tilt_is_refused_with_its_angle(qform: NDArray[Any] | None) -> None:
    with pytest.raises(InputError, match="the axes are sheared by 12 degrees, as in a CT with a tilted gantry"):
        resolve_affine(make_header(shear(grid(), 12), qform), PATH)


@pytest.mark.parametrize("make", [nib.Nifti1Header, nib.Nifti2Header])
def test_agrees_with_nibabel_where_the_header_is_truthful(make: Callable[[], nib.Nifti1Header]) -> None:
    header = make()
    header.set_qform(grid(degrees=33) @ np.diag([1, -1, 1, 1]), 1)
    header["xyzt_units"] = 2
    affine, repairs = resolve_affine(header, PATH)
    np.testing.assert_allclose(affine, header.get_best_affine(), atol=1e-6)
    assert repairs == ()
