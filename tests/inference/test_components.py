"""Components found all at once are those of a flood fill, and the steps keep their laws."""

from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.inference.flood import TRUTHS
from uumamba.inference import components
from uumamba.inference.components import fill_holes, keep_largest, remove_detached, remove_small

LabelMap = NDArray[np.uint8]
Change = Callable[[LabelMap], None]

STEPS: dict[str, Change] = {
    "largest": lambda labels: keep_largest(labels, [1]),
    "two largest": lambda labels: keep_largest(labels, [2], count=2),
    "largest together": lambda labels: keep_largest(labels, [1, 3]),
    "large": lambda labels: remove_small(labels, 1, voxels=3),
    "attached": lambda labels: remove_detached(labels, 1, [2]),
    "attached to either": lambda labels: remove_detached(labels, 3, [1, 2]),
    "filled": lambda labels: fill_holes(labels, 2),
    "filled in slices": lambda labels: fill_holes(labels, 1, slice_axis=2),
}
SHAPES = ((7, 6, 5), (9, 8, 1), (1, 7, 9), (11, 1, 1), (3, 12, 4), (1, 1, 1))


def drawn(shape: tuple[int, ...], seed: int) -> LabelMap:
    """Three structures in crumbs on background, at a density of which both islands and holes come."""
    random = np.random.default_rng(seed)
    share = random.choice([0.35, 0.6, 0.85, 0.95])
    first = random.choice([0.4, 0.9])
    odds = (1 - share, share * first, share * (1 - first) * 0.7, share * (1 - first) * 0.3)
    labels = random.choice(4, size=shape, p=odds).astype(np.uint8)
    return labels if seed % 3 else np.where(labels == 1, 2, labels).astype(np.uint8)


def after(step: Change, labels: LabelMap) -> LabelMap:
    """A changed copy, in the same memory order."""
    changed = np.array(labels)
    step(changed)
    return changed


@pytest.mark.parametrize("name", STEPS)
def test_the_same_as_a_flood_fill(name: str) -> None:
    truth = dict(TRUTHS)[name]
    differing = 0
    for seed, shape in product(range(12), SHAPES):
        labels = drawn(shape, seed)
        changed = after(STEPS[name], labels)
        np.testing.assert_array_equal(changed, truth(labels), err_msg=f"{name}, {shape}, seed {seed}")
        differing += bool((changed != labels).any())
    assert differing > 3


@pytest.mark.parametrize("name", STEPS)
def test_slabs_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = drawn((9, 7, 6), 4)
    whole = after(STEPS[name], labels)
    monkeypatch.setattr(components, "_SLAB_VOXELS", 50)
    np.testing.assert_array_equal(after(STEPS[name], labels), whole)
    np.testing.assert_array_equal(after(STEPS[name], np.asfortranarray(labels)), whole)


@pytest.mark.parametrize("name", STEPS)
def test_a_second_time_changes_nothing(name: str) -> None:
    for seed in range(8):
        once = after(STEPS[name], drawn((8, 7, 5), seed))
        np.testing.assert_array_equal(after(STEPS[name], once), once)


@pytest.mark.parametrize("name", [name for name in STEPS if name != "filled in slices"])
def test_flips_and_permutations_of_the_axes_do_not_matter(name: str) -> None:
    for seed in (1, 3, 5):
        labels = drawn((8, 6, 5), seed)
        expected = after(STEPS[name], labels)
        for axes, flips in product(permutations(range(3)), product((1, -1), repeat=3)):
            turn = tuple(slice(None, None, flip) for flip in flips)
            turned = after(STEPS[name], labels.transpose(axes)[turn])
            np.testing.assert_array_equal(turned, expected.transpose(axes)[turn])


@pytest.mark.parametrize("name", STEPS)
def test_only_filling_adds_and_only_to_background(name: str) -> None:
    for seed in range(8):
        labels = drawn((8, 7, 5), seed)
        changed = after(STEPS[name], labels)
        different = changed != labels
        if name.startswith("filled"):
            assert not labels[different].any()
        else:
            assert not changed[different].any()


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("shape", [(5, 4, 3), (0, 4, 3)])
def test_nothing_comes_of_nothing(name: str, shape: tuple[int, ...]) -> None:
    labels = np.zeros(shape, dtype=np.uint8)
    np.testing.assert_array_equal(after(STEPS[name], labels), labels)


def test_one_component_more_for_each_count() -> None:
    labels = np.zeros((20, 3, 3), dtype=np.uint8)
    for start, size in ((0, 2), (4, 5), (11, 1), (14, 3)):
        labels[start : start + size, 1, 1] = 1
    left = [int(after(lambda each, k=count: keep_largest(each, [1], count=k), labels).sum()) for count in range(1, 6)]
    assert left == [5, 8, 10, 11, 11]


def test_components_of_the_same_size_stay_together() -> None:
    labels = np.zeros((9, 2, 1), dtype=np.uint8)
    labels[[0, 1, 3, 4, 7]] = 1
    np.testing.assert_array_equal(np.flatnonzero(after(STEPS["largest"], labels)[:, 0, 0]), [0, 1, 3, 4])


def test_a_ring_with_something_in_it_has_no_hole() -> None:
    ring = np.zeros((5, 5, 1), dtype=np.uint8)
    ring[1:4, 1:4] = 1
    ring[2, 2] = 0
    filled = after(STEPS["filled in slices"], ring)
    assert filled[2, 2, 0] == 1
    ring[2, 2] = 3
    np.testing.assert_array_equal(after(STEPS["filled in slices"], ring), ring)
