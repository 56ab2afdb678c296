"""The way back: nnU-Net's numbers, whatever the slabs, and the exact return to the image's axes."""

import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

from tests.fakes.ball import CASES, ORIENTATIONS, Configuration, ball, nnunet_case, plans_for
from tests.fakes.plan import fake_plan
from tests.fakes.restored import restore_label_map, restore_labels
from uumamba.core.files import read_json
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.plan import Plan
from uumamba.data.planning import CaseFingerprint, fingerprint_case, plan_dataset
from uumamba.data.preprocess import Geometry, preprocess_case
from uumamba.data.restoration import blank_on_image_grid, highest_class, part_of, restoration_bytes, restored_slabs
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import STORED, Orientation, reorient

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "acdc"
SIZES = st.tuples(*[st.integers(1, 11)] * 3)
SPACINGS = st.sampled_from([(1.0, 1.2, 1.1), (9.0, 1.3, 1.5), (1.3, 8.0, 1.2), (1.1, 1.2, 7.0), (1.0, 6.0, 6.0)])


def grids(
    after_crop: Shape, image_mm: Spacing, plan_mm: Spacing, orientation: Orientation = STORED
) -> tuple[Geometry, Plan]:
    """A crop of an image, one voxel off each border, and a plan that preprocessed it."""
    crop = tuple((1, size + 1) for size in after_crop)
    before = tuple(size + 2 for size in after_crop)
    values = {"orientation": orientation, "spacing_mm": image_mm, "shape_before_crop": before, "crop": crop}
    return Geometry.model_validate(values), fake_plan((8, 8, 8)).model_copy(update={"spacing_mm": plan_mm})


def nnunets(scores: np.ndarray, geometry: Geometry, plan: Plan) -> np.ndarray:
    """The whole array resampled by nnU-Net."""
    resampled: np.ndarray = resample_data_or_seg_to_shape(
        scores,
        geometry.shape_after_crop,
        plan.spacing_mm,
        geometry.spacing_mm,
        is_seg=False,
        order=1,
        order_z=0,
        force_separate_z=None,
    )
    return resampled


def cut(scores: np.ndarray, cuts: Sequence[int]) -> Iterator[np.ndarray]:
    """Consecutive slabs, each in the same memory, which is overwritten when the next is asked for."""
    buffer = np.empty_like(scores)
    for start, stop in pairwise([0, *sorted(set(cuts)), scores.shape[1]]):
        buffer[:, : stop - start] = scores[:, start:stop]
        yield buffer[:, : stop - start]
        buffer[...] = np.nan


def restored(scores: np.ndarray, geometry: Geometry, plan: Plan, cuts: Sequence[int] = ()) -> np.ndarray:
    """The restored slabs, joined."""
    x, y, z = scores.shape[1:]
    slabs = restored_slabs(cut(scores, cuts), (x, y, z), geometry, plan)
    return np.concatenate([slab.copy() for slab in slabs], axis=1)


def scores_of(shape: Sequence[int], channels: int = 3) -> np.ndarray:
    """Large scores, so that rounding would show."""
    return (100 * np.random.default_rng(sum(shape)).normal(size=(channels, *shape))).astype(np.float32)


@given(shape=SIZES, after_crop=SIZES, image_mm=SPACINGS, plan_mm=SPACINGS, data=st.data())
def test_slabs_give_nnunets_numbers_and_the_bits_of_the_whole(
    shape: Shape, after_crop: Shape, image_mm: Spacing, plan_mm: Spacing, data: st.DataObject
) -> None:
    geometry, plan = grids(after_crop, image_mm, plan_mm)
    scores = scores_of(shape)
    whole = restored(scores, geometry, plan)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, nnunets(scores, geometry, plan), rtol=0, atol=1e-6 * float(np.abs(scores).max()))
    cuts = data.draw(st.lists(st.integers(1, max(shape[0] - 1, 1)).filter(lambda at: at < shape[0])))
    np.testing.assert_array_equal(restored(scores, geometry, plan, cuts), whole)
    np.testing.assert_array_equal(restored(scores[1:2], geometry, plan), whole[1:2])
    np.testing.assert_array_equal(restored(np.full_like(scores, 0.1), geometry, plan), np.full_like(whole, 0.1))


@given(shape=SIZES, after_crop=SIZES, image_mm=SPACINGS, plan_mm=SPACINGS, data=st.data())
def test_a_part_alone_is_what_it_is_in_the_whole(
    shape: Shape, after_crop: Shape, image_mm: Spacing, plan_mm: Spacing, data: st.DataObject
) -> None:
    geometry, plan = grids(after_crop, image_mm, plan_mm)
    starts = [data.draw(st.integers(0, size - 1)) for size in shape]
    first, second, third = (
        (start, data.draw(st.integers(start + 1, size))) for start, size in zip(starts, shape, strict=True)
    )
    part = part_of((first, second, third), shape, geometry, plan)
    assert all(a <= b < c <= d for (a, d), (b, c) in zip(part.network, (first, second, third), strict=True))
    scores = scores_of(shape)
    seen = np.ascontiguousarray(scores[:, *(slice(*bounds) for bounds in part.network)])
    cuts = data.draw(st.lists(st.integers(1, max(part.shape[0] - 1, 1)).filter(lambda at: at < part.shape[0])))
    alone = np.concatenate(
        [slab.copy() for slab in restored_slabs(cut(seen, cuts), shape, geometry, plan, part=part)], axis=1
    )
    whole = restored(scores, geometry, plan)[:, *(slice(*bounds) for bounds in part.image)]
    np.testing.assert_allclose(alone, whole, rtol=0, atol=1e-6 * float(np.abs(scores).max()))
    assert part.crop(geometry).shape_after_crop == whole.shape[1:]
    assert all(1 + a == b for (a, _), (b, _) in zip(part.image, part.crop(geometry).crop, strict=True))
    if (first, second, third) == tuple((0, size) for size in shape):
        np.testing.assert_array_equal(alone, restored(scores, geometry, plan))


@pytest.mark.parametrize("image_mm", [(1.0, 1.2, 1.1), (9.0, 1.3, 1.5)])
def test_equal_grids_hand_the_slabs_on(image_mm: Spacing) -> None:
    geometry, plan = grids((5, 6, 7), image_mm, (1.0, 1.0, 1.0))
    slabs = [scores_of((2, 6, 7)), scores_of((3, 6, 7))]
    for given_slab, slab in zip(slabs, restored_slabs(slabs, (5, 6, 7), geometry, plan), strict=True):
        assert slab is given_slab


def test_a_ramp_stays_a_ramp_and_returns() -> None:
    """Linear interpolation is exact on what is linear, away from the borders; down again it is where it was."""
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (1, 8, 4, 4))
    finer, plan = grids((16, 8, 8), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    fine = restored(np.array(ramp), finer, plan)
    np.testing.assert_allclose(fine[0, 1:-1, 2, 2], np.arange(14) / 2 + 0.25)
    coarser, plan = grids((8, 4, 4), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5))
    np.testing.assert_allclose(restored(fine, coarser, plan)[:, 1:-1], ramp[:, 1:-1])


def test_a_slab_comes_as_soon_as_all_that_it_needs_is_there() -> None:
    geometry, plan = grids((8, 4, 4), (1.0, 1.0, 1.0), (2.0, 1.0, 1.0))
    slabs = restored_slabs(cut(scores_of((4, 4, 4)), [1, 2, 3]), (4, 4, 4), geometry, plan)
    assert [slab.shape[1] for slab in slabs] == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("slabs", "message"),
    [
        ([(2, 4, 5)], r"a slab of shape \(3, 2, 4, 5\) at 0 is no part of scores of shape \(3, 4, 4\)"),
        ([(2, 4, 4), (2, 4, 4)], r"a slab of shape \(3, 2, 4, 4\) at 2 is no part"),
        ([(1, 4, 4), (1, 4, 4)], "the slabs end at 2 of 3"),
    ],
)
@pytest.mark.parametrize("after_crop", [(3, 4, 4), (6, 4, 4)])
def test_slabs_must_make_up_the_shape(after_crop: Shape, slabs: list[Shape], message: str) -> None:
    geometry, plan = grids(after_crop, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=message):
        list(restored_slabs([scores_of(shape) for shape in slabs], (3, 4, 4), geometry, plan))


@pytest.mark.parametrize("thickness", [1, 3, 20])
@pytest.mark.parametrize("after_crop", [(33, 60, 70), (12, 60, 40), (20, 48, 50)])
@pytest.mark.parametrize("image_mm", [(1.0, 1.0, 1.0), (9.0, 1.0, 1.0)])
def test_the_memory_is_what_was_said(image_mm: Spacing, after_crop: Shape, thickness: int) -> None:
    shape = (20, 48, 50)
    geometry, plan = grids(after_crop, image_mm, (1.0, 1.0, 1.0))
    slab = scores_of((thickness, *shape[1:]), channels=16)
    slabs = [slab[:, : min(thickness, shape[0] - start)] for start in range(0, shape[0], thickness)]
    tracemalloc.start()
    for _ in restored_slabs(slabs, shape, geometry, plan):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak == pytest.approx(restoration_bytes(16, thickness, shape, geometry, plan), rel=0.15, abs=10_000)


def test_the_highest_class_wins_and_ties_go_to_the_lower_number() -> None:
    scores = np.array([[0, 1, 2, 1], [3, 1, 0, 2], [3, 1, 1, 2]], dtype=np.float32)
    winner = highest_class(scores)
    assert winner.dtype == np.uint8
    np.testing.assert_array_equal(winner, [1, 0, 0, 1])
    many = scores_of((4, 5, 6), channels=7)
    np.testing.assert_array_equal(highest_class(many), many.argmax(axis=0))


def test_a_map_returns_to_the_images_axes_with_what_was_not_seen_filled() -> None:
    stored = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    for orientation in ORIENTATIONS:
        canonical = reorient(Image(stored, np.eye(4)), orientation).data
        network = canonical.transpose(2, 1, 0)
        z, y, x = (size - 2 for size in network.shape)
        geometry, plan = grids((z, y, x), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), orientation)
        inner = network[1:-1, 1:-1, 1:-1]
        back, view = blank_on_image_grid(geometry, plan, dtype=inner.dtype, fill=np.nan)
        view[...] = inner
        assert back.dtype == np.float32
        assert back.flags.c_contiguous
        np.testing.assert_array_equal(back[1:-1, 1:-1, 1:-1], stored[1:-1, 1:-1, 1:-1])
        assert np.count_nonzero(np.isnan(back)) == 5 * 6 * 7 - 3 * 4 * 5
        whole, view = blank_on_image_grid(geometry, plan, dtype=np.int16, fill=-3)
        view[...] = 4
        np.testing.assert_array_equal(whole, np.where(np.isnan(back), -3, 4))


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize("name", CASES)
def test_the_label_map_is_nnunets(name: str, configuration: Configuration, tmp_path: Path) -> None:
    shape, spacing, target, channel, relative_size = CASES[name]
    plan = plans_for(target, tmp_path, channel, relative_size)[configuration]
    image, _ = ball(shape, spacing, border=4 if relative_size < 1 else 0)
    _, _, properties, manager = nnunet_case(image, None, tmp_path, configuration)
    case = preprocess_case([image], plan)
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
    case = ACDC.index(root).training[0]
    assert case.label_map is not None
    image, labels = read_image(case.images[0]), read_label_map(case.label_map)
    x, y, z = image.spacing_mm
    fingerprint = fingerprint_case([image], labels, samples=1000)
    finer = CaseFingerprint(fingerprint.shape, (z / 2, y, x), fingerprint.intensities, fingerprint.relative_size)
    return (
        image,
        labels,
        plan_dataset([finer], root, dataset="acdc", labels=ACDC.description.labels, channels=ACDC.description.channels),
    )


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
    real = next(case for case in ACDC.index(SHARED).training if case.name == "patient001_frame01")
    assert real.label_map is not None
    image, labels = read_image(real.images[0]), read_label_map(real.label_map)
    fingerprint = fingerprint_case([image], labels, samples=1000)
    thinner = CaseFingerprint(fingerprint.shape, (5.0, 1.5625, 1.5625), fingerprint.intensities, 1.0)
    plan = plan_dataset(
        [thinner], tmp_path, dataset="acdc", labels=ACDC.description.labels, channels=ACDC.description.channels
    )["3d_fullres"]
    for orientation in ORIENTATIONS:
        reference = reorient(labels, orientation)
        case = preprocess_case([reorient(image, orientation)], plan, reference)
        assert case.labels is not None
        back = restore_label_map(case.labels[0], case.geometry, plan)
        assert min(dice(back, reference.data, number) for number in (1, 2, 3)) >= 0.99


def test_what_was_cropped_away_comes_back_as_background(tmp_path: Path) -> None:
    image, _ = ball((20, 22, 24), (1.0, 1.0, 1.0), border=3)
    plan = plans_for((1.0, 1.0, 1.0), tmp_path, "MRI")["3d_fullres"]
    case = preprocess_case([image], plan)
    assert case.geometry.shape_after_crop == (18, 16, 14)
    back = restore_label_map(np.full((18, 16, 14), 2), case.geometry, plan)
    np.testing.assert_array_equal(back, np.where(image.data > 0, 2, 0))
