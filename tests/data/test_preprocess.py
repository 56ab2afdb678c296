"""Preprocessing: nnU-Net's voxels."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero

from tests.fakes.ball import CASES, Configuration, ball, nnunet_case, plans_for, two_channels
from tests.fakes.plan import fake_plan
from tests.fakes.restored import restore_label_map
from uumamba.core.errors import InputError
from uumamba.data.foreground import foreground_locations
from uumamba.data.loader import PatchDataset
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, preprocess_case, preprocessing_bytes
from uumamba.data.sampler import SampleKey
from uumamba.data.store import CaseRecord, PreprocessedStore
from uumamba.imaging.image import Image


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize("name", CASES)
def test_the_voxels_are_nnunets(name: str, configuration: Configuration, tmp_path: Path) -> None:
    shape, spacing, target, channel, relative_size = CASES[name]
    plan = plans_for(target, tmp_path, channel, relative_size)[configuration]
    image, labels = ball(shape, spacing, border=4 if relative_size < 1 else 0)
    expected, expected_labels, _, _ = nnunet_case(image, labels, tmp_path, configuration)
    case = preprocess_case([image], plan, labels)
    np.testing.assert_array_equal(case.data, expected)
    assert case.labels is not None
    np.testing.assert_array_equal(case.labels, expected_labels)
    assert case.data.dtype == np.float32
    alone, _, _, _ = nnunet_case(image, None, tmp_path, configuration)
    np.testing.assert_array_equal(preprocess_case([image], plan).data, alone)


def test_several_channels_are_normalised_each_on_its_own(tmp_path: Path) -> None:
    image, labels = ball((20, 22, 24), (1.0, 1.0, 1.0))
    plan = two_channels(tmp_path)
    second = Image(3 * image.data + 5, image.affine)
    data = preprocess_case([image, second], plan, labels).data
    assert data.shape == (2, 24, 22, 20)
    np.testing.assert_allclose(data[0], data[1], atol=1e-4)
    np.testing.assert_allclose(data.mean(axis=(1, 2, 3)), 0, atol=1e-4)


def test_inputs_are_left_as_they_were(tmp_path: Path) -> None:
    image, labels = ball((20, 22, 24), (1.0, 1.0, 1.0), border=3)
    before, labels_before = image.data.copy(), labels.data.copy()
    preprocess_case([image], plans_for((1.0, 1.0, 1.0), tmp_path, "CT")["3d_fullres"], labels)
    np.testing.assert_array_equal(image.data, before)
    np.testing.assert_array_equal(labels.data, labels_before)


def test_voxels_outside_the_nonzero_mask_are_zero_from_preprocessing_to_the_loader(tmp_path: Path) -> None:
    """A diamond-shaped image keeps corners of zeros after cropping; they are marked, and stay zero under noise."""
    image, labels = ball((20, 22, 24), (1.0, 1.0, 1.0))
    far = np.abs(np.indices(image.shape) - np.reshape([9.5, 10.5, 11.5], (3, 1, 1, 1))).sum(axis=0) > 18
    image.data[far], labels.data[far] = 0, 0
    plan = two_channels(tmp_path, relative_size=0.4)
    assert [channel.mask_for_normalization for channel in plan.channels] == [True, True]
    case = preprocess_case([image, image], plan, labels)
    assert case.labels is not None
    np.testing.assert_array_equal(case.labels[0] == -1, far.T)
    assert not case.data[:, far.T].any()
    np.testing.assert_allclose(case.data[:, ~far.T].mean(axis=1), 0, atol=1e-4)

    store = PreprocessedStore(tmp_path / "store")
    record = CaseRecord(inputs="", spacing_mm=plan.spacing_mm)
    found = foreground_locations(case.labels)
    assert sorted(found) == [1, 2]
    store.write("a", case.data + 7, case.labels, record, foreground=found)
    shape = case.data.shape[1:]
    patches = PatchDataset(store, ["a"], patch_size=shape, target_strides=((1, 1, 1),), seed=0, masked_channels=(0, 1))
    sample = patches[SampleKey(0, 0, False)]
    np.testing.assert_array_equal(sample["image"].numpy(), np.where(far.T, 0, case.data + 7))
    np.testing.assert_array_equal(sample["target"][0].numpy(), np.maximum(case.labels, 0))
    np.testing.assert_array_equal(restore_label_map(case.labels[0], case.geometry, plan), labels.data)


def test_an_empty_image_is_not_cropped(tmp_path: Path) -> None:
    image = Image(np.zeros((20, 22, 24), dtype=np.float32), np.eye(4))
    case = preprocess_case([image], plans_for((1.0, 1.0, 1.0), tmp_path, "MRI")["3d_fullres"])
    assert case.data.shape == (1, 24, 22, 20)
    assert not case.data.any()


def test_geometry_survives_json(tmp_path: Path) -> None:
    image, _ = ball((20, 22, 24), (1.0, 1.0, 1.0), border=3)
    geometry = preprocess_case([image], plans_for((1.0, 1.0, 1.0), tmp_path, "MRI")["3d_fullres"]).geometry
    assert Geometry.model_validate_json(geometry.model_dump_json()) == geometry


@pytest.fixture
def off_grid() -> Image:
    """A volume on another grid than the ball's."""
    return Image(np.zeros((20, 22, 25), dtype=np.float32), np.eye(4))


def test_files_of_one_case_must_share_a_grid(tmp_path: Path, off_grid: Image) -> None:
    image, _ = ball((20, 22, 24), (1.0, 1.0, 1.0))
    plan = two_channels(tmp_path)
    with pytest.raises(
        InputError, match="the label map: not on the grid of the image of channel T1: shape 20 x 22 x 25"
    ):
        preprocess_case([image, image], plan, off_grid)
    with pytest.raises(InputError, match="the image of channel T2: not on the grid of the image of channel T1"):
        preprocess_case([image, off_grid], plan)


@pytest.mark.parametrize("mark", [-3e38, 1e30])
@pytest.mark.parametrize("relative_size", [1.0, 0.4])
def test_extreme_intensities_are_refused(tmp_path: Path, mark: float, relative_size: float) -> None:
    image, labels = ball((20, 22, 24), (1.0, 1.0, 1.0))
    image.data[:3] = mark
    plan = plans_for((1.0, 1.0, 1.0), tmp_path, "MRI", relative_size)["3d_fullres"]
    with pytest.raises(InputError, match=r"channel MRI: its intensities, .* to .*, are too extreme .* set those to 0"):
        preprocess_case([image], plan, labels)
    ct = plans_for((1.0, 1.0, 1.0), tmp_path, "CT")["3d_fullres"]
    assert np.isfinite(preprocess_case([image], ct, labels).data).all()


def test_intensities_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    image, _ = ball((20, 22, 24), (1.0, 1.0, 1.0))
    image.data[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="channel MRI: its intensities, nan to nan, are too extreme"):
        preprocess_case([image], plans_for((1.0, 1.0, 1.0), tmp_path, "MRI")["3d_fullres"])


def cubes(normalization: str, *, masked: bool = False, channels: int = 1) -> Plan:
    """A plan of 1 mm cubes."""
    (channel,) = fake_plan((8, 8, 8)).channels
    channel = channel.model_copy(update={"normalization": normalization, "mask_for_normalization": masked})
    return fake_plan((8, 8, 8)).model_copy(update={"spacing_mm": (1.0,) * 3, "channels": (channel,) * channels})


@given(seed=st.integers(0, 2**32 - 1), filled=st.floats(0, 1), channels=st.integers(1, 2))
def test_crop_and_marks_are_nnunets(seed: int, filled: float, channels: int) -> None:
    """Whatever lies in the image: holes, holes that the box cuts open, nothing."""
    random = np.random.default_rng(seed)
    inside = random.random((channels, 6, 5, 7)) < filled
    inside[:, : random.integers(0, 3)] = False
    labels = Image(random.integers(0, 3, (6, 5, 7)).astype(np.uint8), np.eye(4))
    images = [Image(values.astype(np.float32), np.eye(4)) for values in inside]
    case = preprocess_case(images, cubes("none", channels=channels), labels)
    data = np.stack([image.data.T for image in images])
    expected, expected_labels, crop = crop_to_nonzero(data, labels.data.T[None].astype(np.int16))
    np.testing.assert_array_equal(case.data, expected)
    assert case.labels is not None
    np.testing.assert_array_equal(case.labels, expected_labels)
    assert case.geometry.crop == tuple(map(tuple, crop))


@pytest.mark.parametrize(
    ("plan", "spacing"),
    [
        (cubes("ct"), 1.0),
        (cubes("ct", channels=2), 1.0),
        (cubes("z-score"), 1.0),
        (cubes("z-score", masked=True), 1.0),
        (cubes("ct"), 1.3),
        (cubes("z-score", channels=2), 0.8),
    ],
)
def test_the_memory_is_what_was_said(plan: Plan, spacing: float) -> None:
    shape = (64, 72, 80)
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    images = [Image(data, np.diag([-spacing, spacing, spacing, 1.0]))] * len(plan.channels)
    tracemalloc.start()
    preprocess_case(images, plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak == pytest.approx(preprocessing_bytes(shape, (spacing,) * 3, plan), rel=0.1)


def test_a_ct_that_is_not_resampled_costs_one_copy_and_a_mask() -> None:
    assert preprocessing_bytes((512, 512, 600), (1.0, 1.0, 1.0), cubes("ct")) == 512 * 512 * 600 * (4 + 1)
