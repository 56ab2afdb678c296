"""The skeleton graph: the mask's topology, without the spurs of wide ends and rough walls."""

from weakref import WeakSet

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.fakes.tubes import arc, draw, straight
from uumamba.core.errors import InputError
from uumamba.measures import skeleton
from uumamba.measures.lumen import Lumen
from uumamba.measures.skeleton import Branch, SkeletonGraph

SPACING = (1.0, 1.0, 1.0)


def graph_of(mask: np.ndarray) -> SkeletonGraph:
    return SkeletonGraph(Lumen(mask, SPACING))


@pytest.mark.parametrize("radius", [0.9, 2.0, 5.0, 9.0])
def test_a_tube_is_one_branch(radius: float) -> None:
    graph = graph_of(draw(straight((1, 2, 3), 50, radius))[0])
    assert (len(graph.branches), graph.junctions, graph.loops) == (1, [], 0)


def test_a_rough_wall_grows_no_branches() -> None:
    mask, _ = draw(straight((0, 0, 1), 60, 6.4))
    rng = np.random.default_rng(0)
    rough = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            rough |= np.roll(mask, step, axis=axis) & (rng.random(mask.shape) < 0.3)
    graph = graph_of(rough)
    assert (len(graph.branches), graph.loops) == (1, 0)


def test_crossing_tubes_meet_in_one_junction() -> None:
    mask, _ = draw(straight((1, 0, 0), 60, 2.4, start=(-30, 0, 0)), straight((0, 1, 0), 60, 2.4, start=(0, -30, 0)))
    graph = graph_of(mask)
    assert (len(graph.branches), len(graph.junctions), graph.loops) == (4, 1, 0)
    assert len(graph.ends_at(graph.junctions[0])) == 4


def test_loops_are_counted() -> None:
    ring = arc(20, 2 * np.pi, 2.6)
    assert graph_of(draw(ring, flat=False)[0]).loops == 1
    spoke = straight((1, 0, 0), 40, 2.6, start=(-20, 0, 0))
    graph = graph_of(draw(ring, spoke, flat=False)[0])
    assert (graph.loops, len(graph.branches), len(graph.junctions)) == (2, 3, 2)


def test_a_ring_with_a_stalk_and_a_single_voxel() -> None:
    stalk = straight((1, 0, 0), 25, 2.2, start=(20, 0, 0))
    graph = graph_of(draw(arc(20, 2 * np.pi, 2.6), stalk, flat=False)[0])
    assert (graph.loops, len(graph.branches), len(graph.junctions)) == (1, 2, 1)
    assert not graph_of(np.ones((1, 1, 1), dtype=bool)).branches


class Forgetful(WeakSet[Branch]):
    """A set that nothing is ever in."""

    def add(self, item: Branch) -> None:
        """Forget it."""


@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_changes_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = gaussian_filter(np.random.default_rng(seed).random((22, 22, 22)), 1.2)
    sponge = noise > np.quantile(noise, 0.65)
    lumen = Lumen(sponge, SPACING)
    fast = SkeletonGraph(lumen)
    monkeypatch.setattr(skeleton, "WeakSet", Forgetful)
    slow = SkeletonGraph(lumen)
    assert len(fast.branches) > 10
    assert fast.branches.keys() == slow.branches.keys()
    for number, branch in fast.branches.items():
        assert branch.nodes == slow.branches[number].nodes
        np.testing.assert_array_equal(branch.points_mm, slow.branches[number].points_mm)


def test_noise_is_refused_before_it_takes_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).random((20, 20, 20)) < 0.5
    monkeypatch.setattr(skeleton, "MOST_BRANCHES", 40)
    with pytest.raises(
        InputError, match=r"its skeleton has \d+ branches, at most 40 are followed: it is no vessel, or as"
    ):
        graph_of(noise)
