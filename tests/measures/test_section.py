"""Cross-sections of analytic bodies: diameters within half a voxel wherever the grid lies."""

import numpy as np
import pytest

from tests.fakes.tubes import draw, straight
from uumamba.measures.lumen import Lumen
from uumamba.measures.section import coarsest_mm, cut

SPACING = (1.0, 1.0, 1.0)


def middle_cut(mask: np.ndarray, direction: tuple[float, float, float], radius: float):  # type: ignore[no-untyped-def]
    lumen = Lumen(mask, SPACING)
    return cut(lumen, np.argwhere(mask).mean(axis=0), np.asarray(direction) / np.linalg.norm(direction), radius)


@pytest.mark.parametrize("radius", [1.5, 3.0, 6.0, 11.0])
@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (1.0, 2.0, 3.0), (-2.0, 1.0, 0.4)])
def test_a_round_tube(direction: tuple[float, float, float], radius: float) -> None:
    for seed in range(3):
        mask, _ = draw(straight(direction, max(20, 4 * radius), radius), seed=seed)
        outline = middle_cut(mask, direction, radius)
        assert outline is not None
        for found in (outline.equivalent_mm, outline.largest_mm, outline.smallest_mm):
            assert found == pytest.approx(2 * radius, abs=0.5)


def test_an_ellipse_has_its_two_diameters() -> None:
    x, y, _ = np.indices((40, 40, 20)) - np.array([19.6, 20.3, 9.5])[:, None, None, None]
    outline = middle_cut((x / 9) ** 2 + (y / 6) ** 2 < 1, (0.0, 0.0, 1.0), 6.0)
    assert outline is not None
    assert outline.largest_mm == pytest.approx(18, abs=0.6)
    assert outline.smallest_mm == pytest.approx(12, abs=0.5)
    assert outline.equivalent_mm == pytest.approx(2 * np.sqrt(54), abs=0.2)
    np.testing.assert_allclose(outline.centre_mm[:2], [19.6, 20.3], atol=0.2)


def test_only_the_connected_part_counts() -> None:
    mask, _ = draw(straight((0, 0, 1), 30, 4), straight((0, 0, 1), 30, 4, start=(11, 0, 0)))
    lumen = Lumen(mask, SPACING)
    left = np.argwhere(mask[: mask.shape[0] // 2]).mean(axis=0)
    outline = cut(lumen, left, np.array([0.0, 0.0, 1.0]), 4.0)
    assert outline is not None
    assert outline.equivalent_mm == pytest.approx(8, abs=0.5)


def test_there_is_none_outside() -> None:
    mask, _ = draw(straight((0, 0, 1), 30, 4))
    assert cut(Lumen(mask, SPACING), np.array([0.0, 0.0, 10.0]), np.array([0.0, 0.0, 1.0]), 1.0) is None


def test_the_widest_voxel_across_a_direction() -> None:
    spacing = np.array([0.5, 0.5, 3.0])
    assert coarsest_mm(np.array([0.0, 0.0, 1.0]), spacing) == pytest.approx(0.5)
    assert coarsest_mm(np.array([1.0, 0.0, 0.0]), spacing) == pytest.approx(3.0, rel=0.01)
