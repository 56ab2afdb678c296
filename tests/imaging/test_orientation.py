"""One orientation inside, whatever the storage, and the exact way back."""

import json
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from uumamba.imaging.image import Image
from uumamba.imaging.orientation import Orientation, from_canonical, reorient, to_canonical

SPACINGS = [(1.0, 1.0, 1.0), (1.4, 1.4, 10.0), (0.5, 0.35, 0.35), (8.0, 1.5, 1.25)]
QUARTERS = [Rotation.from_euler("xyz", angles, degrees=True).as_matrix() for angles in product((0, 45, 90), repeat=3)]
"""Ties between patient axes: two axes equally near to one."""


def image_on(directions: NDArray[Any], spacing: tuple[float, ...], seed: int = 0) -> Image:
    """A small image with distinct voxels and sizes."""
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(spacing)
    affine[:3, 3] = (-30, 20, 10)
    return Image(np.random.default_rng(seed).permutation(2 * 3 * 4).reshape(2, 3, 4), affine)


def storages(image: Image) -> Iterator[Image]:
    """The same voxels in the same places, stored in all 48 orders and senses."""
    for axes in permutations(range(3)):
        for flips in product((False, True), repeat=3):
            yield reorient(image, Orientation(axes=axes, flipped=flips))


def voxel_places(image: Image) -> dict[int, NDArray[Any]]:
    """Voxel value -> place in the patient."""
    return {int(value): image.affine @ [*index, 1] for index, value in np.ndenumerate(image.data)}


def check_all_storages(image: Image) -> None:
    """The law: every storage gives the same canonical image, and the way back is exact."""
    expected, _ = to_canonical(image)
    count = 0
    for stored in storages(image):
        canonical, orientation = to_canonical(stored)
        np.testing.assert_array_equal(canonical.data, expected.data)
        np.testing.assert_allclose(canonical.affine, expected.affine, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(from_canonical(canonical.data, orientation), stored.data)
        count += 1
    assert count == 48


@settings(max_examples=25, deadline=None)
@given(
    rotation=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda parts: np.linalg.norm(parts) > 0.1),
    spacing=st.tuples(*[st.floats(0.2, 12)] * 3),
    mirrored=st.booleans(),
)
def test_all_48_storages_are_one(rotation: list[float], spacing: tuple[float, ...], mirrored: bool) -> None:
    directions = Rotation.from_quat(rotation).as_matrix() * (1, 1, -1 if mirrored else 1)
    check_all_storages(image_on(directions, spacing))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_all_48_storages_are_one_at_ties(spacing: tuple[float, ...]) -> None:
    for directions in QUARTERS[::3]:
        check_all_storages(image_on(directions, spacing))


@pytest.mark.parametrize("directions", QUARTERS)
def test_no_voxel_moves(directions: NDArray[Any]) -> None:
    image = image_on(directions, (1.5, 1.5, 8.0))
    before, after = voxel_places(image), voxel_places(to_canonical(image)[0])
    assert len(before) == 24
    for value, place in before.items():
        np.testing.assert_allclose(after[value], place, atol=1e-9)


def test_canonical_is_a_fixed_point() -> None:
    canonical, _ = to_canonical(image_on(Rotation.from_rotvec((0.4, 2, -1)).as_matrix(), (1.4, 1.4, 10.0)))
    again, orientation = to_canonical(canonical)
    np.testing.assert_array_equal(again.data, canonical.data)
    assert orientation == Orientation(axes=(0, 1, 2), flipped=(False, False, False))


@settings(max_examples=50, deadline=None)
@given(rotation=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda parts: np.linalg.norm(parts) > 0.1))
def test_thin_slices_go_as_near_to_ras_as_nibabels(rotation: list[float]) -> None:
    image = image_on(Rotation.from_quat(rotation).as_matrix(), (1.0, 1.0, 1.5))
    ours = np.diagonal(to_canonical(image)[0].affine[:3, :3] / to_canonical(image)[0].spacing_mm)
    theirs = nib.as_closest_canonical(nib.Nifti1Image(image.data.astype(np.int16), image.affine)).affine[:3, :3]
    assert ours.min() >= 0
    assert ours.sum() >= np.diagonal(theirs / np.linalg.norm(theirs, axis=0)).sum() - 1e-9


@settings(max_examples=50, deadline=None)
@given(rotation=st.lists(st.floats(-1, 1), min_size=4, max_size=4).filter(lambda parts: np.linalg.norm(parts) > 0.1))
def test_thick_slices_go_last(rotation: list[float]) -> None:
    image = image_on(Rotation.from_quat(rotation).as_matrix(), (10.0, 1.4, 1.4))
    assert to_canonical(image)[0].spacing_mm == pytest.approx((1.4, 1.4, 10.0))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (((-1, 0, 0), (0, -1, 0), (0, 0, 1)), ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
        (((0, -1, 0), (0, 0, -1), (-1, 0, 0)), ((0, 1, 0), (0, 0, 1), (1, 0, 0))),
        (((1, 0, 0), (0, 0, -1), (0, 1, 0)), ((1, 0, 0), (0, 0, 1), (0, -1, 0))),
    ],
    ids=["axial", "sagittal", "coronal"],
)
def test_thick_stacks_in_the_three_planes(columns: tuple[Any, ...], expected: tuple[Any, ...]) -> None:
    canonical, _ = to_canonical(image_on(np.array(columns, dtype=float).T, (1.4, 1.4, 10.0)))
    np.testing.assert_array_equal(canonical.affine[:3, :3] / canonical.spacing_mm, np.array(expected).T)


def test_short_axis_stacks_keep_apex_and_base_where_right_and_anterior_change_places() -> None:
    """Slices half-way between right and posterior, a degree to either side: the heart does not turn over."""
    along = []
    for degrees in (-2, 2):
        turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
        short_axis = Rotation.align_vectors([[0.68, -0.68, 0.27]], [[0, 0, 1]])[0].as_matrix()
        along.append(to_canonical(image_on(turn @ short_axis, (1.4, 1.4, 10.0)))[0].affine[:3, 2])
    assert along[0] @ along[1] > 0
    assert (along[0] * (1, -1, 1) > 0).all()


def test_orientation_survives_json() -> None:
    _, orientation = to_canonical(image_on(QUARTERS[5], (1.4, 1.4, 10.0)))
    assert Orientation.model_validate(json.loads(json.dumps(orientation.model_dump(mode="json")))) == orientation


def test_time_stays_last() -> None:
    image = image_on(QUARTERS[7], (1.4, 1.4, 10.0))
    series = Image(np.stack([image.data, image.data + 100], axis=-1), image.affine)
    canonical, orientation = to_canonical(series)
    np.testing.assert_array_equal(canonical.data[..., 1], to_canonical(image)[0].data + 100)
    np.testing.assert_array_equal(from_canonical(canonical.data, orientation), series.data)
