"""Where a NIfTI header says its voxels are: pixdim, sform and qform compared, repaired or refused.

The policy, in order. Every repair is a sentence in `Image.repairs`; every refusal a `GeometryError` with the numbers.

* Unit: metres and micrometres are converted; no unit means millimetres.
* pixdim must be between 0.01 and 100 mm on each axis.
* The sform gives directions and origin, else the qform; a form with code 0 or without three directions is not used.
  With both codes 0 the axes are taken as right, anterior, superior (the standard's method 1).
* Both forms: the sform is used; a difference is recorded, and refused if left and right or whole axes (more than 45
  degrees) differ, for then one of them is wrong and nothing says which.
* The sform's spacing against pixdim: where one of them is the placeholder 1 x 1 x 1, the other is used (every ACDC file
  has an sform of 1 mm and the truth in pixdim); otherwise a difference is refused.
* Axes off right angles: straightened below a tenth of a degree, refused as shear beyond, whatever the qform says: it
  cannot hold a shear.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.quaternions import quat2mat

from uumamba.core.errors import GeometryError
from uumamba.imaging.grid import (
    affine_from,
    angle_between_degrees,
    check_spacing,
    directions_of,
    join_numbers,
    spacing_of,
    straighten,
)
from uumamba.imaging.image import FloatArray

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
UNIT_NAMES = {1: "metres", 3: "micrometres"}
SPACING_TOLERANCE = 1e-3
"""Relative difference between pixdim and the sform's spacing that rounding explains."""
FORMS_TOLERANCE_DEGREES, FORMS_TOLERANCE_MM = 0.1, 0.1
FORMS_REFUSED_DEGREES = 45.0
LARGEST_COORDINATE_MM = 1e6
"""A form with a number beyond a kilometre is unusable, like one that is not finite."""


def resolve_affine(header: nib.Nifti1Header, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """The affine (4, 4), voxel index to RAS mm, that a header means, and the repairs made; see the module's policy."""
    unit_code = int(header["xyzt_units"]) & 7
    mm = MM_PER_UNIT.get(unit_code, 1.0)
    notes: list[str] = []
    if unit_code in UNIT_NAMES:
        notes.append(f"the header's unit is {UNIT_NAMES[unit_code]}: converted to millimetres")
    with np.errstate(over="ignore"):
        spacing_mm = np.asarray(header["pixdim"][1:4], dtype=np.float64) * mm
    check_spacing(spacing_mm, path, "pixdim")
    sform, qform = _sform(header, mm), _qform(header, spacing_mm, mm)
    codes = int(header["sform_code"]), int(header["qform_code"])
    notes += _describe_unusable(sform, qform, codes, path)
    if sform is not None and qform is not None:
        notes += _compare_forms(sform, qform, path)
    if sform is not None:
        affine, fitted = _fit_spacing(sform, spacing_mm, path)
        notes += fitted
    elif qform is not None:
        affine = qform
    else:
        affine = affine_from(np.eye(3), spacing_mm, np.zeros(3))
    affine, straightened = straighten(affine, path)
    return affine, (*notes, *straightened)


def _sform(header: nib.Nifti1Header, mm: float) -> FloatArray | None:
    """The sform in mm, or None if its code is 0 or it has no three directions."""
    rows = np.stack([header["srow_x"], header["srow_y"], header["srow_z"]]).astype(np.float64)
    if int(header["sform_code"]) <= 0 or not _plausible(rows, mm) or not spacing_of(rows).all():
        return None
    return np.vstack([rows * mm, (0, 0, 0, 1)])


def _qform(header: nib.Nifti1Header, spacing_mm: FloatArray, mm: float) -> FloatArray | None:
    """The qform in mm, or None if its code is 0 or its quaternion is none."""
    origin = np.array([header[f"qoffset_{axis}"] for axis in "xyz"], dtype=np.float64)
    quaternion = np.array([header[f"quatern_{part}"] for part in "bcd"], dtype=np.float64)
    if int(header["qform_code"]) <= 0 or not _plausible(origin, mm) or not _plausible(quaternion, mm):
        return None
    try:
        directions = quat2mat(header.get_qform_quaternion())
    except ValueError:
        return None
    directions[:, 2] *= -1 if header["pixdim"][0] < 0 else 1
    return affine_from(directions, spacing_mm, origin * mm)


def _plausible(numbers: FloatArray, mm: float) -> bool:
    """Whether all are finite and none lies beyond `LARGEST_COORDINATE_MM` in a unit of `mm` millimetres."""
    return bool((np.abs(numbers) <= LARGEST_COORDINATE_MM / mm).all())


def _describe_unusable(
    sform: FloatArray | None, qform: FloatArray | None, codes: tuple[int, int], path: Path
) -> list[str]:
    """Say which forms are set but unusable, and what stands in; raise `GeometryError` if nothing does."""
    broken = [
        f"{name} (code {code})"
        for name, form, code in (("sform", sform, codes[0]), ("qform", qform, codes[1]))
        if code > 0 and form is None
    ]
    used = "sform" if sform is not None else "qform" if qform is not None else ""
    if broken and not used:
        raise GeometryError(
            f"{path}: its {' and '.join(broken)} give no orientation (zero, not finite or no rotation), and nothing "
            f"else does; set a code to 0 to take the axes as right, anterior, superior, or export the image again"
        )
    if not used:
        return ["the header has no orientation: the axes were taken as right, anterior, superior; sides are unsure"]
    return [f"the {name} gives no orientation: the {used} was used" for name in broken]


def _compare_forms(sform: FloatArray, qform: FloatArray, path: Path) -> list[str]:
    """Record how far the qform is from the sform; raise `GeometryError` if they contradict each other."""
    first, second = directions_of(sform), directions_of(qform)
    degrees = angle_between_degrees(first, second)
    apart_mm = float(np.linalg.norm(sform[:3, 3] - qform[:3, 3]))
    mirrored = np.linalg.det(first) * np.linalg.det(second) < 0
    if mirrored or degrees > FORMS_REFUSED_DEGREES:
        raise GeometryError(
            f"{path}: sform and qform contradict each other: axes {degrees:.3g} degrees apart"
            f"{', one the mirror image of the other' if mirrored else ''}; set the code of the wrong one to 0"
        )
    if degrees <= FORMS_TOLERANCE_DEGREES and apart_mm <= FORMS_TOLERANCE_MM:
        return []
    return [f"sform and qform are {degrees:.3g} degrees and {apart_mm:.3g} mm apart: the sform was used"]


def _fit_spacing(sform: FloatArray, spacing_mm: FloatArray, path: Path) -> tuple[FloatArray, list[str]]:
    """Settle a difference between pixdim and the sform's spacing; `GeometryError` if neither is the placeholder 1."""
    scales_mm = spacing_of(sform)
    if np.allclose(scales_mm, spacing_mm, rtol=SPACING_TOLERANCE, atol=0):
        return sform, []
    scales, pixdim = join_numbers(scales_mm), join_numbers(spacing_mm)
    if np.allclose(scales_mm, 1, rtol=0, atol=SPACING_TOLERANCE):
        note = f"the sform says {scales} mm, pixdim {pixdim} mm: pixdim's spacing was used"
        return affine_from(directions_of(sform), spacing_mm, sform[:3, 3]), [note]
    if np.allclose(spacing_mm, 1, rtol=0, atol=SPACING_TOLERANCE):
        check_spacing(scales_mm, path, "sform")
        note = f"pixdim says {pixdim} mm, the sform {scales} mm: the sform's spacing was used"
        return sform, [note]
    raise GeometryError(
        f"{path}: pixdim says {pixdim} mm, the sform {scales} mm, and neither is the placeholder 1 x 1 x 1; "
        f"correct the wrong one or export the image again"
    )
