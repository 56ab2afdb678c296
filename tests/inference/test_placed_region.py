"""With a region of interest a predictor says of its voxels what it would say of them without one."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from uumamba.core.errors import InputError
from uumamba.data.coarse import average, coarse_shape
from uumamba.data.plan import Plan
from uumamba.data.preprocess import plan_spacing, preprocess_case
from uumamba.data.restoration import blank_on_image_grid, highest_class, restored_slabs
from uumamba.imaging.image import Image, ImageSize
from uumamba.inference.bundle import Bundle, build_network, read_bundle, write_bundle
from uumamba.inference.network import network_of
from uumamba.inference.placed_region import place
from uumamba.inference.prediction import Prediction
from uumamba.inference.predictor import Predictor
from uumamba.inference.region import finder_of
from uumamba.inference.roi import RoiDescription, RoiSettings, coarse_plan
from uumamba.inference.sliding_window import predict_logits
from uumamba.models.baselines import NnunetPlainSettings

MakeBundle = Callable[..., Bundle]
MakeImage = Callable[..., Image]
CPU = torch.device("cpu")
LARGE = (70, 60, 3)


def taught(plan: Plan, seen: Tensor, wanted: Tensor) -> nn.Module:
    """A coarse network that has learned to find what is `wanted` (1, *size) in one image, `seen` (1, 1, *size)."""
    torch.manual_seed(0)
    network = network_of(plan, NnunetPlainSettings(), deep_supervision=False)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(seen), wanted).backward()
        optimizer.step()
    return network


@pytest.fixture
def with_roi(plan: Plan, make_image: MakeImage) -> Callable[..., Bundle]:
    """The bundle with a coarse network beside it that finds "everything", "nothing", or what is "bright"."""
    coarse = coarse_plan(plan.model_copy(update={"median_shape": (3, 48, 70)}), RoiSettings(base_features=4))
    prepared = preprocess_case([make_image(LARGE)], plan)
    shape = coarse_shape(prepared.data.shape[1:], plan_spacing(prepared.geometry, plan), coarse.spacing_mm)
    seen = torch.zeros(1, 1, *coarse.patch_size)
    middle = ((length - size) // 2 for length, size in zip(coarse.patch_size, shape, strict=True))
    inside = tuple(slice(start, start + size) for start, size in zip(middle, shape, strict=True))
    seen[0, 0][inside] = torch.from_numpy(average(prepared.data, shape)[0])

    def add(bundle: Bundle, what: str) -> Bundle:
        wanted = {"everything": seen > -99, "nothing": seen > 99, "bright": seen > 1.5}[what]
        network = taught(coarse, seen, wanted[0].long())
        roi = RoiDescription(plan=coarse, network=NnunetPlainSettings(), margin_mm=0, smallest_share=0.5)
        path = bundle.path.with_name(f"{what} {bundle.path.name}")
        description = bundle.description.model_copy(update={"roi": roi})
        write_bundle(path, state=bundle.state, description=description, roi_state=network.state_dict())
        return read_bundle(path)

    return add


WithRoi = Callable[[Bundle, str], Bundle]


def same(one: Prediction, other: Prediction) -> bool:
    """Whether all numbers of two predictions are the same, bit for bit."""
    names = ("labels", "entropy", "disagreement")
    maps = ((getattr(one, name), getattr(other, name)) for name in names)
    return one.confidence == other.confidence and all(np.array_equal(a, b) for a, b in maps if a is not None)


@pytest.mark.parametrize("spacing_mm", [(1.5, 1.2, 8.0), (1.5, 1.5, 8.0)])
def test_a_region_that_is_the_whole_image_changes_no_bit(
    spacing_mm: tuple[float, ...], make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage
) -> None:
    bundles, image = [make_bundle(), make_bundle(seed=1)], make_image((18, 25, 4), spacing_mm)
    without = Predictor(bundles).predict([image], maps=True)
    found = Predictor([with_roi(each, "everything") for each in bundles]).predict([image], maps=True)
    assert len(np.unique(without.labels)) > 1
    assert same(found, without)
    assert found.flags == without.flags


def test_where_nothing_is_found_all_is_done_and_flagged(
    make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage
) -> None:
    bundle, image = make_bundle(), make_image()
    found = Predictor([with_roi(bundle, "nothing")]).predict([image], maps=True)
    assert same(found, Predictor([bundle]).predict([image], maps=True))
    assert found.flags[-1].code == "roi"
    assert "found no region of interest, so the whole image was segmented" in found.flags[-1].sentence


def test_one_member_that_finds_something_is_enough(
    make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage
) -> None:
    bundle, image = make_bundle(), make_image()
    found = Predictor([with_roi(bundle, "nothing"), with_roi(bundle, "everything")]).predict([image])
    assert "roi" not in [flag.code for flag in found.flags]


def test_a_member_without_a_coarse_network_is_refused(make_bundle: MakeBundle, with_roi: WithRoi) -> None:
    bundle = make_bundle()
    with pytest.raises(InputError, match="only one of them has a coarse network that finds the region of interest"):
        Predictor([bundle, with_roi(bundle, "everything")])


def test_the_network_sees_the_statistics_and_the_grid_of_the_whole_image(
    make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage, plan: Plan
) -> None:
    """As in training; a z-score of the region alone would be another one."""
    image = make_image(LARGE)
    finder, prepared = finder_of(with_roi(make_bundle(), "bright"), CPU), preprocess_case([image], plan)
    assert finder is not None
    placed = place([finder], prepared, plan, patch_size=(4, 4))
    seen = placed.data_of(prepared).numpy()
    assert placed.region.found
    assert seen.size < prepared.data.size / 2
    assert seen.mean() > 0.1
    assert np.shares_memory(seen, prepared.data)
    low = [start for start, _ in placed.part.network]
    high = [stop for _, stop in placed.part.network]
    np.testing.assert_array_equal(seen, prepared.data[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]])


def test_around_the_region_all_is_background_and_beyond_doubt(
    make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage, plan: Plan
) -> None:
    bundle, image = with_roi(make_bundle(), "bright"), make_image(LARGE)
    finder = finder_of(bundle, CPU)
    assert finder is not None
    prediction = Predictor([bundle]).predict([image], maps=True)
    placed = place([finder], preprocess_case([image], plan), plan, patch_size=(16, 16))
    around = np.ones(image.shape, bool)
    around[tuple(slice(*bounds) for bounds in placed.geometry.crop[::-1])] = False
    assert around.mean() > 0.5
    assert not prediction.labels[around].any()
    assert prediction.labels[~around].any()
    assert prediction.entropy is not None
    assert not prediction.entropy[around].any()
    assert prediction.entropy[~around].all()
    # An untrained network finds structures everywhere, so also where the region ends.
    assert prediction.flags[-1].sentence.startswith("the label map reaches the border of the region of interest")


def test_inside_the_region_it_equals_its_parts(
    make_bundle: MakeBundle, with_roi: WithRoi, make_image: MakeImage, plan: Plan
) -> None:
    bundle, image = with_roi(make_bundle(), "bright"), make_image(LARGE)
    finder, prepared = finder_of(bundle, CPU), preprocess_case([image], plan)
    assert finder is not None
    placed = place([finder], prepared, plan, patch_size=(16, 16))
    logits = predict_logits(build_network(bundle), placed.data_of(prepared), patch_size=(16, 16))
    shape = prepared.data.shape[1], prepared.data.shape[2], prepared.data.shape[3]
    slabs = restored_slabs([logits.numpy()], shape, prepared.geometry, plan, part=placed.part)
    expected, view = blank_on_image_grid(placed.geometry, plan, dtype=np.uint8)
    view[...] = np.concatenate([highest_class(slab) for slab in slabs])
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(Predictor([bundle]).predict([image]).labels, expected)


def test_memory_counts_the_whole_image_and_the_coarse_pass(make_bundle: MakeBundle, with_roi: WithRoi) -> None:
    """Which region will be found is not known before; a difference of some MB is what a process holds besides."""
    size = ImageSize((200, 200, 30), np.diag([1.5, 1.5, 8.0, 1.0]), 2)
    bundle = make_bundle()
    found, without = (Predictor([each]).bytes_of(size) for each in (with_roi(bundle, "bright"), bundle))
    assert found > without - 50_000_000
