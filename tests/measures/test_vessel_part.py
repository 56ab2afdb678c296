"""The numbers of a whole and of its zones: values, or None with a reason that says what is wrong."""

import numpy as np
import pytest

from tests.fakes.tubes import bulging, draw, straight
from uumamba.measures.vessel import find_vessels
from uumamba.measures.vessel_part import COUNTS, VESSEL_MEASURES, whole_part, zone_parts

SPACING = (1.0, 1.0, 1.0)


def test_a_whole_tube() -> None:
    mask, _ = draw(bulging((0, 0, 1), 70, 4.2, 3.0, at_mm=25))
    tree = find_vessels(mask.astype(np.uint8), SPACING, [1])
    part = whole_part(tree, SPACING, "aorta")
    assert part.measures.keys() == VESSEL_MEASURES.keys()
    assert all(measure.reason is None for measure in part.measures.values())
    assert part.measures["volume_ml"].value == pytest.approx(mask.sum() / 1000)
    assert part.measures["length_mm"].value == pytest.approx(70, rel=0.02)
    assert part.measures["max_diameter_mm"].value == pytest.approx(14.4, abs=0.5)
    assert part.measures["min_diameter_mm"].value == pytest.approx(8.4, abs=0.6)
    assert {name: part.measures[name].value for name in COUNTS} == {
        "components": 1, "branches": 1, "junctions": 0, "loops": 0, "ends": 2, "broken_branches": 0,
    }  # fmt: skip
    assert part.widest is not None
    assert part.widest[1].largest_mm == part.measures["max_diameter_mm"].value


def test_zones_share_the_centreline_and_have_their_own_numbers() -> None:
    mask, first = draw(bulging((0, 0, 1), 90, 4.2, 3.0, at_mm=70))
    labels = mask.astype(np.uint8)
    z = np.arange(mask.shape[2]) + first[2]
    labels[:, :, z > 30] *= 2
    labels[labels > 0] += 2
    tree = find_vessels(labels, SPACING, [3, 4])
    upper, lower = zone_parts(tree, SPACING, {"Zone 0": (3,), "Zone 1": (4,)})
    assert tree.vessels[0].zones[0] == 3
    assert (upper.name, lower.name) == ("Zone 0", "Zone 1")
    assert upper.measures["length_mm"].value == pytest.approx(30, abs=1.2)
    assert lower.measures["length_mm"].value == pytest.approx(60, abs=1.2)
    assert upper.measures["max_diameter_mm"].value == pytest.approx(8.4, abs=0.6)
    assert lower.measures["max_diameter_mm"].value == pytest.approx(14.4, abs=0.5)
    assert lower.widest is not None
    assert lower.widest[1].at_mm == pytest.approx(70, abs=1.5)
    assert upper.measures["components"].reason == "counted in the whole alone"


def test_a_branch_zone_begins_where_it_leaves_its_vessel() -> None:
    trunk, branch = straight((0, 0, 1), 80, 6.2), straight((1, 0, 0), 40, 2.6, start=(0, 0, 40))
    mask, first = draw(trunk, branch)
    x = np.arange(mask.shape[0]) + first[0]
    labels = mask.astype(np.uint8)
    labels[x > 6.5] *= 2
    tree = find_vessels(labels, SPACING, [1, 2])
    whole, side = zone_parts(tree, SPACING, {"trunk": (1,), "side": (2,)})
    assert whole.measures["length_mm"].value == pytest.approx(80, abs=2)
    assert side.measures["length_mm"].value == pytest.approx(33.5, abs=1.5)
    assert side.measures["mean_equivalent_mm"].value == pytest.approx(5.2, abs=0.5)
    assert whole.measures["max_diameter_mm"].value == pytest.approx(12.4, abs=0.8)


def test_a_zone_that_touches_another_vessel_beside_it_has_no_length() -> None:
    """Two parallel tubes that touch over most of their length are one lumen with one centreline."""
    mask, first = draw(straight((0, 0, 1), 70, 6.0), straight((0, 0, 1), 90, 3.0, start=(6, 0, 0)))
    x, y, z = np.ogrid[tuple(slice(low, low + size) for low, size in zip(first, mask.shape, strict=True))]
    labels = mask.astype(np.uint8)
    labels[mask & ((x**2 + y**2 > 6.2**2) | (z > 70))] = 2
    trunk, side = zone_parts(find_vessels(labels, SPACING, (1, 2)), SPACING, {"trunk": (1,), "side": (2,)})
    assert trunk.measures["length_mm"].value == pytest.approx(70, rel=0.05)
    assert side.measures["mean_equivalent_mm"].value == pytest.approx(6, abs=0.5)
    for name in ("length_mm", "length_in_view_mm"):
        assert side.measures[name].value is None
        assert "of side, which touches another vessel; measure it by itself" in str(side.measures[name].reason)


def test_an_empty_mask_has_no_number_but_a_reason() -> None:
    tree = find_vessels(np.zeros((8, 8, 8), dtype=np.uint8), SPACING, [1])
    part = whole_part(tree, SPACING, "aorta")
    assert {measure.value for measure in part.measures.values()} == {None}
    assert {measure.reason for measure in part.measures.values()} == {"aorta is absent: the mask is empty"}


def test_a_vessel_that_the_image_cuts_has_no_whole_volume_and_length() -> None:
    mask, _ = draw(straight((0, 0, 1), 60, 4.2))
    mask = mask[:, :, :40]
    part = whole_part(find_vessels(mask.astype(np.uint8), SPACING, [1]), SPACING, "aorta")
    on_border = np.count_nonzero(mask[:, :, -1])
    reason = f"aorta is cut by the field of view: {on_border} voxels on the image's border"
    for name in ("volume", "length"):
        unit = "ml" if name == "volume" else "mm"
        assert part.measures[f"{name}_{unit}"].value is None
        assert part.measures[f"{name}_{unit}"].reason == reason
        assert part.measures[f"{name}_in_view_{unit}"].value is not None
    assert part.measures["max_diameter_mm"].value == pytest.approx(8.4, abs=0.6)


def test_too_thin_and_too_short_have_reasons() -> None:
    mask, _ = draw(straight((1, 2, 3), 60, 0.9))
    thin = whole_part(find_vessels(mask.astype(np.uint8), SPACING, [1]), SPACING, "coronary")
    assert thin.measures["length_mm"].value is not None
    assert thin.measures["max_diameter_mm"].value is None
    assert "fewer than 2 voxels across" in str(thin.measures["max_diameter_mm"].reason)
    ball = np.linalg.norm(np.indices((20, 20, 20)) - 9.6, axis=0) < 7
    short = whole_part(find_vessels(ball.astype(np.uint8), SPACING, [1]), SPACING, "aorta")
    assert short.measures["volume_ml"].value == pytest.approx(ball.sum() / 1000)
    assert short.measures["length_mm"].reason == "aorta has no centreline: it is wider than long"
    assert short.measures["max_diameter_mm"].reason == "aorta has no centreline: it is wider than long"
