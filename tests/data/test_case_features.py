"""Features of a case are what plain numpy says, and a turned image has the turned picture."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from tests.fakes.plan import fake_plan
from uumamba.core.labels import LabelSet
from uumamba.data.case_features import PICTURE_CELLS, CaseFeatures, describe_case, picture_of, structures_of
from uumamba.data.plan import Plan

FLAT, SOLID = fake_plan((16, 16)), fake_plan((8, 16, 16))


def cubic(plan: Plan) -> Plan:
    """The plan with equal spacing along all axes."""
    return plan.model_copy(update={"spacing_mm": (1.5, 1.5, 1.5), "median_shape": (24, 26, 28)})


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, size=shape).astype(np.float32)


def describe(data: np.ndarray, plan: Plan = FLAT, **changes: object) -> CaseFeatures:
    return describe_case(data, plan, **({"spacing_mm": (5, 1.5, 1.25), "shape": data.shape[1:]} | changes))


def test_lengths_follow_the_image_axes() -> None:
    features = describe(noise(1, 4, 20, 30), spacing_mm=(8, 1.5, 1.25), shape=(4, 40, 60))
    assert features.spacing_mm == (1.25, 1.5, 8)
    assert features.size_mm == (75, 60, 32)
    assert features.slices == 4
    turned = describe(noise(1, 4, 20, 30), FLAT.model_copy(update={"axes": (0, 2, 1)}), spacing_mm=(8, 1.5, 1.25))
    assert turned.spacing_mm == (8, 1.25, 1.5)


def test_intensities_are_those_of_other_programs() -> None:
    data = np.maximum(noise(1, 5, 20, 30), 0.5)
    (channel,) = describe(data).channels
    assert channel.name == "MRI"
    np.testing.assert_allclose(channel.skewness, stats.skew(data, axis=None), rtol=1e-5)
    np.testing.assert_allclose(channel.median, np.median(data), rtol=1e-6)
    assert channel.percentile_01 == 0.5 < channel.percentile_99
    assert channel.lowest_share == np.mean(data == 0.5) > 0
    expected = (np.abs(np.diff(data[0], axis=1)).mean() + np.abs(np.diff(data[0], axis=2)).mean()) / 2
    np.testing.assert_allclose(channel.roughness, expected, rtol=1e-5)


def test_what_has_no_number_has_none() -> None:
    (channel,) = describe(np.ones((1, 3, 1, 1), np.float32)).channels
    assert channel.skewness is None
    assert channel.roughness is None
    assert channel.lowest_share == 1


def test_large_images_are_measured_in_every_so_many_slices() -> None:
    data = noise(1, 30, 300, 300)
    assert describe(data).channels == describe(data[:, ::2]).channels


def test_lowest_value_is_kept_of_ct_alone() -> None:
    ct = FLAT.model_copy(update={"channels": (FLAT.channels[0].model_copy(update={"normalization": "ct"}),)})
    data = noise(1, 3, 8, 8)
    assert describe(data, ct, lowest=[-1024]).channels[0].lowest_hu == -1024
    assert describe(data, ct).channels[0].lowest_hu is None
    assert describe(data, FLAT, lowest=[-1024]).channels[0].lowest_hu is None


@pytest.mark.parametrize("plan", [cubic(FLAT), cubic(SOLID)])
def test_a_turned_image_has_the_turned_picture(plan: Plan) -> None:
    data = noise(25, 30, 27)
    axes = list(range(3 - plan.spatial_dims, 3))
    picture = picture_of(data, plan)
    assert picture.shape == (1 if plan.spatial_dims == 2 else PICTURE_CELLS, PICTURE_CELLS, PICTURE_CELLS)
    for order in permutations(axes):
        turn = [axis for axis in range(3) if axis not in axes] + list(order)
        np.testing.assert_allclose(
            picture_of(data.transpose(turn), plan), picture.transpose(turn), rtol=1e-4, atol=1e-6
        )
    # An even number of voxels, so that no cell's border lies in the middle of a voxel.
    even = noise(24, 24, 24)
    grid = plan.model_copy(update={"median_shape": (24, 24, 24)})
    for flips in product((False, True), repeat=len(axes)):
        flip = tuple(axis for axis, turned in zip(axes, flips, strict=True) if turned)
        np.testing.assert_allclose(
            picture_of(np.flip(even, flip), grid), np.flip(picture_of(even, grid), flip), rtol=1e-4, atol=1e-6
        )


def test_a_picture_is_made_of_means_and_empty_beyond_the_image() -> None:
    plan = cubic(FLAT).model_copy(update={"median_shape": (4, 24, 24)})
    data = noise(4, 24, 12)
    picture = picture_of(data, plan)[0]
    np.testing.assert_allclose(picture[3, 5], data[:, 6:8, 4:6].mean(), rtol=1e-5)
    assert (picture[:, :3] == 0).all()
    assert (picture[:, 9:] == 0).all()
    assert (picture[:, 3:9] > 0).all()


def test_structures_are_counted_and_their_borders_named() -> None:
    labels = np.random.default_rng(1).integers(-1, 2, size=(4, 6, 8)).astype(np.int16)
    labels[:, [0, -1]] = 0
    labels[:, :, [0, -1]] = 0
    labels[0, 0, 3] = 2
    found = structures_of(labels, fake_plan((16, 16), ignore=7), spacing_mm=(5, 2, 1))
    assert found["shell"].volume_ml == pytest.approx((labels == 1).sum() * 10 / 1000)
    assert found["shell"].borders == {"z-", "z+"}
    assert found["ball"].borders == {"z-", "y-"}
    labels[1, 2, 3] = 7
    assert structures_of(labels, fake_plan((16, 16), ignore=7), spacing_mm=(5, 2, 1)).keys() == {"shell", "ball"}
    assert structures_of(labels * 0, FLAT, spacing_mm=(5, 2, 1)) == {}
    single = np.ones((1, 6, 8), np.uint8)
    assert structures_of(single, FLAT, spacing_mm=(5, 2, 1))["shell"].borders == {"x-", "x+", "y-", "y+"}


def test_a_region_has_the_volume_and_the_borders_of_all_its_numbers() -> None:
    regions = LabelSet(names=("background", "all", "inner"), regions=((1, 2), (2,)), written=(1, 2))
    plan = fake_plan((16, 16)).model_copy(update={"labels": regions})
    labels = np.zeros((4, 6, 8), np.int16)
    labels[0, 2:4, 2:4], labels[1:3, 0, 3] = 1, 2
    found = structures_of(labels, plan, spacing_mm=(5, 2, 1))
    assert (found["all"].volume_ml, found["inner"].volume_ml) == (pytest.approx(0.06), pytest.approx(0.02))
    assert (found["all"].borders, found["inner"].borders) == ({"z-", "y-"}, {"y-"})
