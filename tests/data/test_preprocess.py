"""Preprocessing: nnU-Net's voxels, and the exact way back."""

from itertools import permutations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.foreground import foreground_locations
from uumamba.data.loader import PatchDataset
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.plan import Plan
from uumamba.data.planning import CaseFingerprint, fingerprint_case, plan_dataset
from uumamba.data.preprocess import Geometry, preprocess_case, restore_label_map, restore_labels
from uumamba.data.sampler import SampleKey
from uumamba.data.store import CaseRecord, PreprocessedStore
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import Orientation, reorient

Configuration = Literal["2d", "3d_fullres"]
LABELS = LabelSet(names=("background", "shell", "ball"))
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "acdc"
ORIENTATIONS = [
    Orientation.model_validate({"axes": axes, "flipped": flipped})
    for axes, flipped in product(permutations(range(3)), product((False, True), repeat=3))
]


def ball(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], border: int = 0) -> tuple[Image, Image]:
    """Noise with a bright ball in a shell, in canonical orientation; `border` voxels around are zero."""
    random = np.random.default_rng(sum(shape))
    points = np.indices(shape).reshape(3, -1).T * spacing_mm
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1).reshape(shape)
    reach = min(np.array(shape) * spacing_mm) / 2
    labels = np.digitize(-distance, [-0.8 * reach, -0.5 * reach]).astype(np.uint8)
    data = (100 * labels + random.normal(300, 20, shape)).astype(np.float32)
    outside = np.ones(shape, dtype=bool)
    outside[border : shape[0] - border, border : shape[1] - border, border : shape[2] - border] = False
    data[outside] = 0
    affine = np.diag([*spacing_mm, 1.0])
    return Image(data, affine), Image(labels, affine)


def plans_for(
    spacing_zyx: tuple[float, float, float], folder: Path, channel: str, relative_size: float = 1.0
) -> dict[str, Plan]:
    """Plans that resample to a spacing."""
    case = CaseFingerprint((40, 48, 52), spacing_zyx, np.linspace(250, 550, 200, dtype=np.float32)[None], relative_size)
    return plan_dataset([case] * 2, folder, dataset="fake", labels=LABELS, channels=(channel,))


def nnunet_case(
    image: Image, labels: Image | None, folder: Path, configuration: Configuration
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], PlansManager]:
    """What nnU-Net's preprocessor makes of canonical arrays with the plans in `folder`."""
    manager = PlansManager(read_json(folder / "plans.json"))
    properties = {"spacing": list(image.spacing_mm[::-1])}
    reference = None if labels is None else labels.data.T[None].astype(np.float32)
    data, seg, properties = DefaultPreprocessor(verbose=False).run_case_npy(
        image.data.T[None],
        reference,
        properties,
        manager,
        manager.get_configuration(configuration),
        read_json(folder / "dataset.json"),
    )
    return data, seg, properties, manager


CASES = {
    "thick slices": ((40, 44, 9), (1.5, 1.5, 8.0), (5.0, 1.7, 1.3), "MRI", 1.0),
    "cubes, large empty border": ((30, 34, 38), (1.0, 1.2, 1.1), (1.0, 1.0, 1.0), "MRI", 0.4),
    "CT": ((32, 30, 28), (1.0, 1.0, 2.0), (1.5, 0.9, 0.9), "CT", 1.0),
    "another axis is coarse": ((20, 36, 40), (2.4, 1.3, 1.3), (1.2, 1.2, 2.0), "MRI", 1.0),
    "nothing to resample": ((30, 34, 20), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "MRI", 1.0),
}


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize("name", CASES)
def test_the_voxels_are_nnunets(name: str, configuration: Configuration, tmp_path: Path) -> None:
    shape, spacing, target, channel, relative_size = CASES[name]
    plan = plans_for(target, tmp_path, channel, relative_size)[configuration]
    image, labels = ball(shape, spacing, border=4 if relative_size < 1 else 0)
    expected, expected_labels, properties, manager = nnunet_case(image, labels, tmp_path, configuration)
    case = preprocess_case([image], plan, labels)
    np.testing.assert_array_equal(case.data, expected)
    assert case.labels is not None
    np.testing.assert_array_equal(case.labels, expected_labels)
    assert case.data.dtype == np.float32
    alone, _, _, _ = nnunet_case(image, None, tmp_path, configuration)
    np.testing.assert_array_equal(preprocess_case([image], plan).data, alone)

    logits = np.random.default_rng(0).normal(size=(3, *case.data.shape[1:])).astype(np.float32)
    back = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits,
        manager,
        manager.get_configuration(configuration),
        manager.get_label_manager(read_json(tmp_path / "dataset.json")),
        properties,
        num_threads_torch=torch.get_num_threads(),
    )
    restored = restore_labels(logits, case.geometry, plan)
    assert restored.dtype == np.uint8
    assert restored.shape == image.shape
    np.testing.assert_array_equal(restored, back.T)


def dice(found: np.ndarray, truth: np.ndarray, number: int) -> float:
    """Dice of one structure."""
    overlap = np.count_nonzero((found == number) & (truth == number))
    return 2 * overlap / (np.count_nonzero(found == number) + np.count_nonzero(truth == number))


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, Image, dict[str, Plan]]:
    """One case of the phantom and plans with its own spacing in plane and half of it between slices."""
    root = tmp_path_factory.mktemp("phantom")
    write_phantom_acdc(root, patients=1, seed=0, size=PhantomSize(48, 4.0, 16.0))
    case = ACDC.index(root)[0]
    assert case.label_map is not None
    image, labels = read_image(case.images[0]), read_label_map(case.label_map)
    x, y, z = image.spacing_mm
    fingerprint = fingerprint_case([image], labels, samples=1000)
    finer = CaseFingerprint(fingerprint.shape, (z / 2, y, x), fingerprint.intensities, fingerprint.relative_size)
    return image, labels, plan_dataset([finer], root, dataset="acdc", labels=ACDC.labels, channels=ACDC.channels)


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_a_label_map_returns_from_every_orientation(
    phantom: tuple[Image, Image, dict[str, Plan]], configuration: Configuration
) -> None:
    image, labels, plans = phantom
    plan = plans[configuration]
    first = preprocess_case([image], plan, labels)
    assert len(ORIENTATIONS) == 48
    for orientation in ORIENTATIONS:
        turned, reference = reorient(image, orientation), reorient(labels, orientation)
        case = preprocess_case([turned], plan, reference)
        assert case.labels is not None
        np.testing.assert_array_equal(case.data, first.data)
        np.testing.assert_array_equal(case.labels, first.labels)
        back = restore_label_map(case.labels[0], case.geometry, plan)
        assert back.shape == reference.shape
        assert min(dice(back, reference.data, number) for number in (1, 2, 3)) >= 0.99


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_stored_axes_are_kept_and_the_label_map_returns_to_them(configuration: Configuration, tmp_path: Path) -> None:
    plan = plans_for((8.0, 1.5, 1.5), tmp_path, "MRI")[configuration].model_copy(update={"orientation": "stored"})
    image, labels = ball((12, 14, 6), (1.5, 1.5, 8.0))
    for orientation in ORIENTATIONS:
        stored, reference = reorient(image, orientation), reorient(labels, orientation)
        same_grid = plan.model_copy(update={"spacing_mm": tuple(stored.spacing_mm[axis] for axis in plan.axes)})
        case = preprocess_case([stored], same_grid, reference)
        assert case.labels is not None
        np.testing.assert_array_equal(case.labels[0], reference.data.transpose(plan.axes))
        np.testing.assert_array_equal(restore_label_map(case.labels[0], case.geometry, same_grid), reference.data)


def test_a_label_map_nearly_returns_through_a_coarser_grid(phantom: tuple[Image, Image, dict[str, Plan]]) -> None:
    image, labels, plans = phantom
    z, y, x = plans["3d_fullres"].spacing_mm
    plan = plans["3d_fullres"].model_copy(update={"spacing_mm": (z, 1.1 * y, 1.1 * x)})
    case = preprocess_case([image], plan, labels)
    assert case.labels is not None
    back = restore_label_map(case.labels[0], case.geometry, plan)
    assert min(dice(back, labels.data, number) for number in (1, 2, 3)) >= 0.9


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real ACDC images (shared/data/acdc) are not beside this checkout")
def test_a_real_label_map_returns_from_every_orientation(tmp_path: Path) -> None:
    real = next(case for case in ACDC.index(SHARED) if case.name == "patient001_frame01")
    assert real.label_map is not None
    image, labels = read_image(real.images[0]), read_label_map(real.label_map)
    fingerprint = fingerprint_case([image], labels, samples=1000)
    thinner = CaseFingerprint(fingerprint.shape, (5.0, 1.5625, 1.5625), fingerprint.intensities, 1.0)
    plan = plan_dataset([thinner], tmp_path, dataset="acdc", labels=ACDC.labels, channels=ACDC.channels)["3d_fullres"]
    for orientation in ORIENTATIONS:
        reference = reorient(labels, orientation)
        case = preprocess_case([reorient(image, orientation)], plan, reference)
        assert case.labels is not None
        back = restore_label_map(case.labels[0], case.geometry, plan)
        assert min(dice(back, reference.data, number) for number in (1, 2, 3)) >= 0.99


def two_channels(folder: Path, relative_size: float = 1.0) -> Plan:
    """A plan in three dimensions for two channels of 1 mm cubes."""
    case = CaseFingerprint(
        (24, 22, 20), (1.0, 1.0, 1.0), np.arange(200, dtype=np.float32).reshape(2, 100), relative_size
    )
    return plan_dataset([case], folder, dataset="fake", labels=LABELS, channels=("T1", "T2"))["3d_fullres"]


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


def test_what_was_cropped_away_comes_back_as_background(tmp_path: Path) -> None:
    image, _ = ball((20, 22, 24), (1.0, 1.0, 1.0), border=3)
    plan = plans_for((1.0, 1.0, 1.0), tmp_path, "MRI")["3d_fullres"]
    case = preprocess_case([image], plan)
    assert case.geometry.shape_after_crop == (18, 16, 14)
    back = restore_label_map(np.full((18, 16, 14), 2), case.geometry, plan)
    np.testing.assert_array_equal(back, np.where(image.data > 0, 2, 0))


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
