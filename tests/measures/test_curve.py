"""Curves: lengths, even points, and a spline that takes jags and keeps bends."""

import numpy as np
import pytest

from uumamba.measures.curve import arc_lengths_mm, at_lengths, nearest_along_mm, resample, smooth, tangents

RING = 20 * np.stack([np.cos(np.linspace(0, 2 * np.pi, 400)), np.sin(np.linspace(0, 2 * np.pi, 400)), np.zeros(400)], 1)


def test_even_points_keep_the_length() -> None:
    bent = np.array([[0.0, 0, 0], [3, 0, 0], [3, 4, 0], [3, 4, 12]])
    even = resample(bent, 0.5)
    assert arc_lengths_mm(bent)[-1] == 19
    assert arc_lengths_mm(even)[-1] == pytest.approx(19, abs=0.1)
    assert len(even) == 39
    np.testing.assert_allclose(at_lengths(bent, np.array([5.0])), [[3, 2, 0]])


def test_jags_go_and_bends_stay() -> None:
    rng = np.random.default_rng(0)
    jagged = RING + rng.uniform(-0.5, 0.5, RING.shape)
    jagged[-1] = jagged[0]
    smoothed = smooth(jagged, 10.0, weights=None, closed=True)
    assert arc_lengths_mm(jagged)[-1] > 1.5 * 2 * np.pi * 20
    assert arc_lengths_mm(smoothed)[-1] == pytest.approx(2 * np.pi * 20, rel=0.01)
    np.testing.assert_array_equal(smoothed[0], smoothed[-1])


def test_points_without_weight_are_bridged() -> None:
    line = np.stack([np.arange(60.0), np.zeros(60), np.zeros(60)], axis=1)
    line[25:35, 1] = 9
    weights = np.ones(60)
    weights[25:35] = 0
    assert np.abs(smooth(line, 6.0, weights=weights, closed=False)[:, 1]).max() < 0.1


def test_tangents_and_the_nearest_place() -> None:
    along = tangents(RING, closed=True)
    np.testing.assert_allclose((along * RING).sum(axis=1), 0, atol=0.1)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1)
    line = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0]])
    assert nearest_along_mm(line, np.array([12.0, 4, 1])) == pytest.approx(14)
