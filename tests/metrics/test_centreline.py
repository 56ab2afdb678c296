"""clDice and centreline overlap on tubes: breaks, bumps and shifts; against definitions written out; other axes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label

from uumamba.core.thinning import skeleton
from uumamba.metrics import betti0_error, centreline_dice, centreline_overlap, count_components, dice

Mask = NDArray[np.bool_]
SPACING_MM = (0.5, 0.5, 0.8)
BOTH = pytest.mark.parametrize("metric", [centreline_dice, centreline_overlap])


def tube(radius: float = 3.0, *, shift: int = 0, length: int = 60) -> Mask:
    """A tube along z in an image of 24 x 24 x `length` voxels."""
    x, y = np.ogrid[:24, :24]
    disc = (x - 11 - shift) ** 2 + (y - 11) ** 2 <= radius**2
    return np.repeat(disc[..., None], length, axis=2)


def bent(seed: int, radius: float) -> Mask:
    """A smooth random curve in space with a round profile."""
    random = np.random.default_rng(seed)
    ends = random.uniform(6, 26, (4, 3))
    t = np.linspace(0, 1, 200)[:, None]
    curve = sum(
        factor * end
        for factor, end in zip(((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3), ends, strict=True)
    )
    grid = np.stack(np.meshgrid(*[np.arange(32.0)] * 3, indexing="ij"), -1)
    near = np.full(grid.shape[:3], np.inf)
    for point in curve:
        near = np.minimum(near, np.square(grid - point).sum(-1))
    return np.asarray(near <= radius**2)


@BOTH
def test_disjoint_tubes_have_nothing_in_common(metric: object) -> None:
    assert callable(metric)
    assert metric(tube(2, shift=-6), tube(2, shift=6), SPACING_MM) == 0.0


def test_a_break_costs_its_share_of_the_line() -> None:
    """A third of the tube is missing: all of what is there is right, two thirds are found."""
    broken = tube()
    broken[..., 20:40] = False
    line = skeleton(tube()).any(axis=(0, 1)).sum()
    lost = skeleton(tube())[..., 20:40].sum()
    sensitivity = 1 - lost / line
    assert centreline_dice(broken, tube(), SPACING_MM) == pytest.approx(2 * sensitivity / (1 + sensitivity), abs=0.01)
    assert betti0_error(broken, tube(), SPACING_MM) == 1.0
    overlap = centreline_overlap(broken, tube(), SPACING_MM)
    assert overlap is not None
    assert 0.75 < overlap < 0.9


def test_a_thin_break_is_hardly_seen_by_dice_and_counted_by_betti0() -> None:
    broken = tube()
    broken[..., 30] = False
    assert dice(broken, tube(), SPACING_MM) == pytest.approx(1, abs=0.01)
    assert betti0_error(broken, tube(), SPACING_MM) == 1.0


@BOTH
def test_a_bump_on_the_wall_does_not_matter(metric: object) -> None:
    """Half a voxel more all round leaves the centreline where it is: Dice falls, these do not."""
    assert callable(metric)
    thicker = tube(5.0)
    assert dice(thicker, tube(), SPACING_MM) < 0.6
    assert metric(thicker, tube(), SPACING_MM) == pytest.approx(1, abs=0.06)
    bump = tube()
    bump[14:18, 10:13, 28:32] = True
    assert metric(bump, tube(), SPACING_MM) > 0.97


@BOTH
def test_a_shift_within_the_radius_is_right_and_beyond_it_wrong(metric: object) -> None:
    assert callable(metric)
    values = [metric(tube(shift=shift), tube(), SPACING_MM) for shift in range(6)]
    assert values[0] == 1.0
    assert min(values[:3]) > 0.97
    assert max(values[4:]) < 0.03


def test_cldice_written_out() -> None:
    """Every voxel of both skeletons asked one by one."""
    prediction, reference = bent(1, 2.5), np.roll(bent(1, 3.0), 3, axis=0)
    hit = [
        sum(bool(other[tuple(place)]) for place in np.argwhere(skeleton(mask))) / skeleton(mask).sum()
        for mask, other in ((prediction, reference), (reference, prediction))
    ]
    assert 0.1 < min(hit) < 1
    expected = 2 * hit[0] * hit[1] / sum(hit)
    assert centreline_dice(prediction, reference, SPACING_MM) == pytest.approx(expected)


def test_overlap_written_out() -> None:
    """All pairs of centreline voxels, and the radius from all voxels outside."""
    prediction, reference = bent(1, 2.5), np.roll(bent(1, 3.0), 3, axis=0)
    ours, true = (np.argwhere(skeleton(mask)) * SPACING_MM for mask in (prediction, reference))
    outside = np.argwhere(~reference) * SPACING_MM
    radius = [min(np.linalg.norm(outside - point, axis=1)) for point in true]
    found = sum(min(np.linalg.norm(ours - point, axis=1)) < r - 1e-6 for point, r in zip(true, radius, strict=True))
    right = sum(any(np.linalg.norm(true - point, axis=1) < np.array(radius) - 1e-6) for point in ours)
    expected = (found + right) / (len(true) + len(ours))
    assert 0.1 < expected < 1
    assert centreline_overlap(prediction, reference, SPACING_MM) == pytest.approx(expected)


def test_overlap_asks_for_the_radius_of_the_reference() -> None:
    """A thin line off the middle of a thick vessel is right; a thick vessel round a thin line off its middle is not."""
    thick, thin = tube(5.0), tube(0.0, shift=3)
    assert centreline_overlap(thin, thick, SPACING_MM) == pytest.approx(1, abs=0.06)
    assert centreline_overlap(thick, thin, SPACING_MM) == 0.0


@BOTH
@pytest.mark.parametrize(("seed", "radius", "shift"), [(0, 1.3, 0), (1, 2.0, 0), (2, 3.0, 1)])
def test_other_axes_move_it_little(metric: object, seed: int, radius: float, shift: int) -> None:
    """A skeleton depends on the order of the axes by a voxel here and there; what is right stays right."""
    assert callable(metric)
    first, second = bent(seed, radius), np.roll(bent(seed, radius + 0.7), shift, axis=1)
    values = []
    for axes in itertools.permutations(range(3)):
        turned = [mask.transpose(axes)[::-1] for mask in (first, second)]
        values.append(metric(*turned, [SPACING_MM[axis] for axis in axes]))
    assert min(values) > 0.85
    assert max(values) - min(values) < 0.15


def test_what_lies_inside_is_right_on_any_axes() -> None:
    """All of the skeleton of a part is in the whole, so clDice is bound by how much of the whole's is in the part."""
    part, whole = bent(4, 1.5), bent(4, 3.0)
    for axes in itertools.permutations(range(3)):
        inner, outer = part.transpose(axes), whole.transpose(axes)
        sensitivity = inner[skeleton(outer)].mean()
        expected = 2 * sensitivity / (1 + sensitivity)
        assert centreline_dice(inner, outer, (1, 1, 1)) == pytest.approx(expected)


def test_lines_are_the_same_on_any_axes() -> None:
    """Where the masks are lines already there is nothing to choose: equal to the bit."""
    first, second = skeleton(bent(3, 2.0)), skeleton(bent(3, 3.0))
    value = centreline_dice(first, second, SPACING_MM)
    assert value is not None
    assert 0 < value < 1
    for axes in itertools.permutations(range(3)):
        turned = [mask.transpose(axes)[::-1] for mask in (first, second)]
        assert centreline_dice(*turned, [SPACING_MM[axis] for axis in axes]) == value


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), shape=st.lists(st.integers(1, 8), min_size=2, max_size=3))
def test_components_are_counted(seed: int, shape: list[int]) -> None:
    """Against a count of the whole image, with its empty margin."""
    mask = np.random.default_rng(seed).random(shape) < 0.2
    assert count_components(mask) == label(np.pad(mask, 2), np.ones((3,) * mask.ndim))[1]


def test_betti0_of_known_counts() -> None:
    three, one = np.zeros((2, 10, 10, 10), dtype=bool)
    three[0, 0, 0] = three[1, 1, 1] = three[5, 5, 5] = three[9, 0, 0] = one[5] = True
    assert (count_components(three), count_components(one), count_components(np.zeros((3, 3), dtype=bool))) == (3, 1, 0)
    assert betti0_error(three, one, SPACING_MM) == betti0_error(one, three, SPACING_MM) == 2.0
    assert betti0_error(three, np.roll(three, 4, axis=1), SPACING_MM) == 0.0
