"""Tubes: their volume is that of their cones, and they are unbroken however coarse the grid."""

import numpy as np
import pytest
from scipy.ndimage import label

from uumamba.data.phantom_tubes import PhantomGrid, Tube, draw_tube, smooth_tube

ARC = [(-20, 0, -10), (-8, 12, 0), (6, 10, 8), (20, -6, 12)]


def drawn(tube: Tube, grid: PhantomGrid) -> np.ndarray:
    """The label map of one tube."""
    labels = np.zeros(grid.shape, dtype=np.uint8)
    draw_tube(labels, grid, tube)
    return labels


def test_a_tube_has_the_volume_of_its_cones() -> None:
    tube = smooth_tube(ARC, (4, 3.5, 3, 2.5), (1, 1, 1))
    grid = PhantomGrid((140, 120, 120), (0.45, 0.4, 0.5))
    ends = 2 / 3 * np.pi * (4**3 + 2.5**3)
    measured = np.count_nonzero(drawn(tube, grid)) * np.prod(grid.spacing_mm)
    assert measured == pytest.approx(tube.volume_mm3() + ends, rel=0.02)


def test_a_straight_tube_is_what_its_distance_says() -> None:
    grid = PhantomGrid((21, 17, 30), (1.0, 1.5, 0.8))
    labels = drawn(smooth_tube([(0, 0, -8), (0, 0, 8)], (3, 3), (5,)), grid)
    x, y, z = grid.places(0), grid.places(1), grid.places(2)
    expected = x**2 + y**2 + np.maximum(np.abs(z) - 8, 0) ** 2 <= 9
    np.testing.assert_array_equal(labels, np.where(expected, 5, 0))


@pytest.mark.parametrize("spacing", [1.0, 3.0, 6.0, 11.0])
def test_a_thin_tube_is_in_one_piece_on_every_grid(spacing: float) -> None:
    size = round(66 / spacing)
    labels = drawn(smooth_tube(ARC, (0.5,) * 4, (1, 1, 1)), PhantomGrid((size,) * 3, (spacing,) * 3))
    assert labels.any()
    assert label(labels, np.ones((3, 3, 3)))[1] == 1


def test_pieces_have_their_labels_in_order() -> None:
    labels = drawn(smooth_tube(ARC, (3,) * 4, (7, 8, 9)), PhantomGrid((50, 40, 40), (1.0, 1.0, 1.0)))
    assert set(np.unique(labels)) == {0, 7, 8, 9}
    middles = [np.argwhere(labels == number)[:, 0].mean() for number in (7, 8, 9)]
    assert middles == sorted(middles)


def test_what_lies_outside_is_cut_off() -> None:
    tube = smooth_tube([(-100, 0, 0), (100, 0, 0)], (3, 3), (1,))
    labels = drawn(tube, PhantomGrid((10, 20, 20), (1.0, 1.0, 1.0)))
    assert labels.any(axis=(1, 2)).all()
    far = smooth_tube([(100, 100, 100), (120, 100, 100)], (3, 3), (1,))
    assert not drawn(far, PhantomGrid((10, 20, 20), (1.0, 1.0, 1.0))).any()
