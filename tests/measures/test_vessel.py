"""Vessels against analytic tubes: lengths within 2 %, diameters within half a voxel, the topology exact."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from tests.fakes.tubes import Curve, arc, bulging, draw, helix, straight
from uumamba.measures.profile import AT_JUNCTION, CUT, NEAR_END, THIN, Section
from uumamba.measures.vessel import VesselTree, find_vessels

ISOTROPIC, ANISOTROPIC = (1.0, 1.0, 1.0), (0.7, 0.7, 1.2)
OBLIQUE = (1.0, 2.0, 3.0)
STEEP = (3.0, 1.0, 0.3)


def measure(mask: np.ndarray, spacing_mm: Sequence[float] = ISOTROPIC) -> VesselTree:
    return find_vessels(mask.astype(np.uint8), spacing_mm, [1])


def measured(tree: VesselTree, vessel: int = 0) -> list[Section]:
    return [section for section in tree.vessels[vessel].sections if section.equivalent_mm is not None]


def counts(tree: VesselTree) -> dict[str, int]:
    return {
        "components": tree.components, "branches": tree.branches, "junctions": tree.junctions, "loops": tree.loops,
        "ends": tree.ends, "gaps": len(tree.gaps),
    }  # fmt: skip


ONE = {"components": 1, "branches": 1, "junctions": 0, "loops": 0, "ends": 2, "gaps": 0}


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC])
@pytest.mark.parametrize(
    "curve",
    [
        straight((0, 0, 1), 60, 3.2),
        straight((1, 0, 0), 60, 1.6),
        straight(OBLIQUE, 60, 3.2),
        straight(STEEP, 60, 6),
        arc(30, np.pi, 3.2),
        helix(15, 25, 1.5, 2.5),
    ],
    ids=["along z", "along x", "oblique", "steep", "arc", "helix"],
)
def test_a_tube(curve: Curve, spacing: tuple[float, float, float]) -> None:
    mask, _ = draw(curve, spacing_mm=spacing)
    tree = measure(mask, spacing)
    assert counts(tree) == ONE
    voxel, true = max(spacing), 2 * float(curve.radii_mm[0])
    assert tree.vessels[0].line.length_mm == pytest.approx(curve.length_mm, rel=0.02)
    sections = measured(tree)
    assert len(sections) > 0.7 * len(tree.vessels[0].sections) * (1 - 2 * true / curve.length_mm)
    for name in ("equivalent_mm", "largest_mm", "smallest_mm"):
        values = np.array([getattr(section, name) for section in sections])
        assert values.mean() == pytest.approx(true, abs=voxel / 2), name
        assert np.mean(np.abs(values - true) <= voxel / 2) > 0.9, name


def test_a_line_of_single_voxels_has_a_length_and_no_diameter() -> None:
    curve = straight(OBLIQUE, 60, 0.9)
    tree = measure(draw(curve)[0])
    assert counts(tree) == ONE
    assert tree.vessels[0].line.length_mm == pytest.approx(60, rel=0.02)
    assert not measured(tree)
    assert THIN in {section.reason for section in tree.vessels[0].sections}


def test_a_tube_two_voxels_square_is_not_lost() -> None:
    mask = np.zeros((10, 10, 40), dtype=bool)
    mask[4:6, 4:6, 3:37] = True
    tree = measure(mask)
    assert counts(tree) == ONE
    assert tree.vessels[0].line.length_mm == pytest.approx(34, rel=0.02)


def test_a_torus_is_one_loop_without_an_end() -> None:
    tree = measure(draw(arc(25, 2 * np.pi, 4.3), flat=False)[0])
    assert counts(tree) == {"components": 1, "branches": 1, "junctions": 0, "loops": 1, "ends": 0, "gaps": 0}
    vessel = tree.vessels[0]
    assert vessel.line.length_mm == pytest.approx(2 * np.pi * 25, rel=0.02)
    assert len(measured(tree)) == len(vessel.sections)
    assert np.mean([section.equivalent_mm for section in vessel.sections]) == pytest.approx(8.6, abs=0.5)


@pytest.mark.parametrize("degrees", [30, 45, 60])
@pytest.mark.parametrize("thin_mm", [1.8, 4.0])
def test_a_y_has_three_branches_and_a_junction(degrees: float, thin_mm: float) -> None:
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    arms = (
        straight((0, 0, 1), 40, 4.0, start=(0, 0, -40)),
        straight((sine, 0.1, cosine), 40, 4.0),
        straight((-sine, 0.1, cosine), 40, thin_mm),
    )
    tree = measure(draw(*arms, flat=False)[0])
    assert counts(tree) == {"components": 1, "branches": 3, "junctions": 1, "loops": 0, "ends": 3, "gaps": 0}
    lengths = sorted(length for vessel in tree.vessels for length in vessel.line.branch_lengths_mm)
    assert lengths == pytest.approx(sorted([44, 44, 40 + thin_mm]), rel=0.02)
    assert AT_JUNCTION in {section.reason for vessel in tree.vessels for section in vessel.sections}
    for section in measured(tree) + measured(tree, 1):
        assert section.largest_mm < 9.5


@pytest.mark.parametrize(("direction", "radius"), [((0, 0, 1), 3.0), ((1, 1, 1), 3.0), (OBLIQUE, 1.1), (OBLIQUE, 7.5)])
def test_a_gap_of_one_voxel_is_a_broken_branch(direction: Sequence[float], radius: float) -> None:
    mask, _ = draw(straight(direction, 60, radius))
    mask[:, :, mask.shape[2] // 2] = False
    tree = measure(mask)
    assert counts(tree) == {"components": 2, "branches": 2, "junctions": 0, "loops": 0, "ends": 4, "gaps": 1}
    assert tree.gaps[0].length_mm < 3.5


def test_ends_side_by_side_are_no_break() -> None:
    tree = measure(draw(straight((0, 0, 1), 40, 2), straight((0, 0, 1), 40, 2, start=(7, 0, 0)))[0])
    assert (tree.components, len(tree.gaps)) == (2, 0)


def test_ends_far_apart_are_no_break() -> None:
    tree = measure(draw(straight((0, 0, 1), 30, 2), straight((0, 0, 1), 30, 2, start=(0, 0, 45)))[0])
    assert (tree.components, len(tree.gaps)) == (2, 0)


@pytest.mark.parametrize("direction", [(0, 0, 1), OBLIQUE])
def test_a_stenosis_is_found_at_its_place(direction: Sequence[float]) -> None:
    mask, first = draw(bulging(direction, 70, 4.2, -2.0, at_mm=30))
    narrowest = min(measured(measure(mask)), key=lambda section: section.equivalent_mm or 0)
    assert narrowest.equivalent_mm == pytest.approx(4.4, abs=0.5)
    assert np.linalg.norm(narrowest.place_mm + first) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("direction", [(0, 0, 1), OBLIQUE])
def test_an_aneurysm_is_found_at_its_place(direction: Sequence[float]) -> None:
    mask, first = draw(bulging(direction, 70, 4.2, 5.0, at_mm=25))
    tree = measure(mask)
    widest = max(measured(tree), key=lambda section: section.largest_mm or 0)
    assert widest.largest_mm == pytest.approx(18.4, abs=0.5)
    assert widest.equivalent_mm == pytest.approx(18.4, abs=0.5)
    assert np.linalg.norm(widest.place_mm + first) == pytest.approx(25, abs=1)
    assert tree.vessels[0].line.length_mm == pytest.approx(70, rel=0.02)


def test_axes_in_any_order_and_sense_give_the_same_numbers() -> None:
    mask, _ = draw(bulging(OBLIQUE, 36, 2.4, 2.0, at_mm=20), spacing_mm=ANISOTROPIC)
    lengths, widest = [], []
    for order in permutations(range(3)):
        for flip in (slice(None), slice(None, None, -1)):
            tree = measure(mask.transpose(order)[flip], [ANISOTROPIC[axis] for axis in order])
            assert counts(tree) == ONE
            lengths.append(tree.vessels[0].line.length_mm)
            widest.append(max(section.equivalent_mm or 0 for section in measured(tree)))
    assert np.ptp(lengths) < 0.02 * 36
    assert np.ptp(widest) < 0.05


def test_nothing_is_measured_near_an_end_or_where_the_image_cuts() -> None:
    mask, _ = draw(straight((0, 0, 1), 60, 5.2))
    tree = measure(mask)
    reasons = [section.reason for section in tree.vessels[0].sections]
    assert [reasons[2], reasons[4], reasons[-3]] == [NEAR_END] * 3
    assert None not in (reasons[0], reasons[-1])
    assert not any(tree.border_voxels.values())
    half = measure(mask[mask.shape[0] // 2 :])
    assert CUT in {section.reason for section in half.vessels[0].sections}
    assert not measured(half)
    assert half.border_voxels[1] > 500


def test_an_empty_mask_and_a_ball_have_no_centreline() -> None:
    empty = measure(np.zeros((10, 10, 10), dtype=bool))
    assert counts(empty) == dict.fromkeys(ONE, 0)
    ball = np.linalg.norm(np.indices((20, 20, 20)) - 9.6, axis=0) < 7
    tree = measure(ball)
    assert (tree.components, tree.short, tree.branches) == (1, 1, 0)


def test_a_hole_through_the_wall_is_no_loop_and_no_branch() -> None:
    mask, _ = draw(straight((0, 0, 1), 60, 7.3))
    x, z = mask.shape[0] // 2 + 5, mask.shape[2] // 2
    mask[x, :, z] = False
    assert counts(measure(mask)) == ONE


def test_a_stump_has_no_diameter() -> None:
    tree = measure(draw(straight((0, 0, 1), 21, 8.3))[0])
    assert not measured(tree)
