"""Post-processing as settings: what a bundle keeps of it, and what it does to a label map."""

import json
import tracemalloc
from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.inference import components
from uumamba.inference.bundle import Bundle
from uumamba.inference.postprocessing import (
    Adjacent,
    FillHoles,
    LargestComponents,
    Postprocessing,
    SmallComponents,
    shared_postprocessing,
)

LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))
THICK = (1.5, 1.5, 8.0)
EVERYTHING = Postprocessing(
    steps=(
        LargestComponents(structures=("RV", "MYO", "LV"), together=True),
        LargestComponents(structures=("RV", "LV")),
        SmallComponents(structures=("MYO",), below_ml=0.05),
        Adjacent(structures=("LV", "RV"), to=("MYO",)),
        FillHoles(structures=("LV",), in_slices=True),
    ),
    grounds=("Chosen on 2 validation cases.",),
)


def heart(shape: tuple[int, int, int] = (24, 22, 5)) -> NDArray[np.uint8]:
    """A cavity in a ring with a second cavity beside it, in all slices."""
    x, y, _ = np.indices(shape)
    radius = np.hypot(x - 14, y - 11)
    labels = np.where(radius < 6, 2, 0)
    labels[(radius >= 6) & (np.hypot(x - 6, y - 11) < 5)] = 1
    return np.where(radius < 3.5, 3, labels).astype(np.uint8)


def spoilt() -> NDArray[np.uint8]:
    """The heart with islands of every structure and a hole in the cavity."""
    labels = heart()
    labels[0, 0, :2], labels[23, 21, 4], labels[23, :3, 0] = 1, 2, 3
    labels[14, 11, 2] = 0
    return labels


def test_the_spoilt_heart_is_mended_and_the_input_stays() -> None:
    labels = spoilt()
    labels.setflags(write=False)
    before = labels.copy()
    np.testing.assert_array_equal(EVERYTHING.apply(labels, THICK, LABELS), heart())
    np.testing.assert_array_equal(labels, before)


def test_no_steps_change_nothing() -> None:
    labels = spoilt()
    assert Postprocessing().apply(labels, THICK, LABELS) is labels
    assert Postprocessing().sentences() == ("None.",)


@pytest.mark.parametrize("step", EVERYTHING.steps, ids=lambda step: step.name)
def test_axes_and_memory_order_do_not_matter(step: LargestComponents) -> None:
    alone = Postprocessing(steps=(step,))
    expected = alone.apply(spoilt(), THICK, LABELS)
    for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
        turn = tuple(slice(None, None, flip) for flip in flips)
        spacing_mm = [THICK[axis] for axis in axes]
        turned = alone.apply(spoilt().transpose(axes)[turn], spacing_mm, LABELS)
        np.testing.assert_array_equal(turned, expected.transpose(axes)[turn])
        assert (turned != spoilt().transpose(axes)[turn]).any()


def test_twice_is_once() -> None:
    once = EVERYTHING.apply(spoilt(), THICK, LABELS)
    np.testing.assert_array_equal(EVERYTHING.apply(once, THICK, LABELS), once)


@pytest.mark.parametrize("shape", [(6, 5, 1), (1, 5, 4), (1, 1, 1)])
def test_flat_and_empty_images(shape: tuple[int, int, int]) -> None:
    empty = np.zeros(shape, dtype=np.uint8)
    np.testing.assert_array_equal(EVERYTHING.apply(empty, THICK, LABELS), empty)
    one = np.full(shape, 2, dtype=np.uint8)
    np.testing.assert_array_equal(Postprocessing(steps=EVERYTHING.steps[:2]).apply(one, THICK, LABELS), one)


def test_a_small_component_is_one_below_the_volume() -> None:
    labels = np.zeros((9, 3, 3), dtype=np.uint8)
    labels[:3, 0, 0], labels[5:7, 0, 0] = 1, 1
    for below_ml, left in ((0.002, 5), (0.0021, 3), (0.003, 3), (0.0031, 0)):
        step = SmallComponents(structures=("RV",), below_ml=below_ml)
        assert Postprocessing(steps=(step,)).apply(labels, (1, 1, 1), LABELS).sum() == left


def test_without_a_wall_no_cavity_is_removed() -> None:
    labels = np.where(heart() == 3, 3, 0).astype(np.uint8)
    rule = Postprocessing(steps=(Adjacent(structures=("LV",), to=("MYO",)),))
    np.testing.assert_array_equal(rule.apply(labels, THICK, LABELS), labels)
    labels[0, 0, 0] = 2
    assert set(np.unique(rule.apply(labels, THICK, LABELS))) == {0, 2}


@pytest.mark.parametrize(("spacing_mm", "filled"), [(THICK, 2), ((1.5, 1.5, 1.5), 1), ((8.0, 1.5, 1.5), 1)])
def test_slices_lie_across_the_axis_of_the_largest_spacing(spacing_mm: tuple[float, float, float], filled: int) -> None:
    labels = np.zeros((7, 7, 5), dtype=np.uint8)
    labels[1:6, 1:6] = 3
    labels[2, 2, 2] = labels[4, 4, 4] = 0
    fill = Postprocessing(steps=(FillHoles(structures=("LV",), in_slices=True),))
    changed = fill.apply(labels, spacing_mm, LABELS)
    assert np.count_nonzero(changed != labels) == filled


@pytest.mark.parametrize("step", EVERYTHING.steps, ids=lambda step: step.name)
def test_memory_stays_within_what_is_said(step: LargestComponents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_SLAB_VOXELS", 1 << 12)
    labels = np.zeros((120, 110, 100), dtype=np.uint8)
    labels[:24, :22, :5] = heart()
    for number in (1, 2, 3):
        labels[-1, -1, -number] = number
    alone = Postprocessing(steps=(step,))
    tracemalloc.start()
    alone.apply(labels, THICK, LABELS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 5 * labels.size < peak < (alone.bytes_per_voxel + 0.5) * labels.size
    assert Postprocessing().bytes_per_voxel == 0


def test_an_unknown_structure_is_named() -> None:
    for step in (LargestComponents(structures=("aorta",)), Adjacent(structures=("LV",), to=("aorta",))):
        message = rf"step {step.name} names the structure 'aorta', but the model knows RV, MYO, LV; name one of these"
        with pytest.raises(ConfigError, match=message):
            Postprocessing(steps=(step,)).apply(heart(), THICK, LABELS)


@pytest.mark.parametrize(
    ("labels", "spacing_mm"),
    [
        (heart().astype(np.int16), THICK),
        (heart()[..., 0], THICK[:2]),
        (heart()[..., None], THICK),
        (heart(), THICK[:2]),
    ],
)
def test_only_a_label_map_in_three_axes(labels: NDArray[np.uint8], spacing_mm: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"takes a uint8 label map \(x, y, z\) and three spacings, got .*one frame"):
        EVERYTHING.apply(labels, spacing_mm, LABELS)


@pytest.mark.parametrize(
    "step",
    [
        {"name": "largest_components", "structures": []},
        {"name": "largest_components", "structures": ["LV"], "count": 0},
        {"name": "small_components", "structures": ["LV"], "below_ml": 0},
        {"name": "largest", "structures": ["LV"]},
        {"name": "fill_holes", "structures": ["LV"], "within_mm": 3},
    ],
)
def test_settings_are_closed(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Postprocessing.model_validate({"steps": [step]})


def test_sentences() -> None:
    assert EVERYTHING.sentences() == (
        "Only the largest component of RV, MYO and LV taken together stays.",
        "Only the largest component of each of RV and LV stays.",
        "Components of MYO of less than 0.05 ml are removed.",
        "Components of LV and RV that do not touch MYO are removed.",
        "Holes in LV are filled, slice by slice.",
        "Chosen on 2 validation cases.",
    )
    assert LargestComponents(structures=("LV",), count=2).sentence == "Only the 2 largest components of LV stay."
    assert "touch MYO or RV are" in Adjacent(structures=("LV",), to=("MYO", "RV")).sentence


def test_a_bundle_keeps_it_and_its_card_tells(make_bundle: Callable[..., Bundle]) -> None:
    step = LargestComponents(structures=("cavity",))
    bundle = make_bundle(postprocessing=Postprocessing(steps=(step,), grounds=("It helps.",)))
    assert bundle.description.postprocessing.steps == (step,)
    assert "## Post-processing\n\n* Only the largest component of cavity stays.\n* It helps.\n" in (
        bundle.description.model_card
    )
    assert "## Post-processing\n\n* None.\n" in make_bundle().description.model_card
    assert json.loads(bundle.description.model_dump_json())["postprocessing"]["steps"][0]["count"] == 1


def test_an_ensemble_takes_the_steps_that_all_members_take() -> None:
    both = LargestComponents(structures=("RV", "LV"))
    one = LargestComponents(structures=("LV", "MYO"))
    joint = LargestComponents(structures=("RV", "LV"), together=True)
    holes = FillHoles(structures=("LV",))
    first = Postprocessing(steps=(joint, both, holes), grounds=("a",))
    second = Postprocessing(steps=(one, joint), grounds=("b",))
    assert shared_postprocessing([first]) == first
    assert shared_postprocessing([first, first]) == first
    assert shared_postprocessing([first, Postprocessing()]) == Postprocessing()
    assert shared_postprocessing([first, second]).steps == (joint, LargestComponents(structures=("LV",)))
    assert shared_postprocessing([first, second]).grounds == ()


def test_regions_have_no_steps() -> None:
    regions = LabelSet(names=("background", "all", "LV"), regions=((1, 2, 3), (3,)), written=(1, 3))
    steps = Postprocessing(steps=(LargestComponents(structures=("LV",)),))
    with pytest.raises(
        ConfigError, match=r"largest_components is made for .* has regions \(1\+2\+3 all, 3 LV\); leave"
    ):
        steps.apply(heart(), (1.0, 1.0, 1.0), regions)
    assert Postprocessing().apply(heart(), (1.0, 1.0, 1.0), regions) is not None
