"""Volumes: counted voxels times their size; a structure without voxels has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.core.labels import LabelSet
from uumamba.measures import Measurement, structure_volumes, volume_ml

LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))


def test_ball() -> None:
    spacing = (1.0, 1.5, 2.0)
    axes = np.meshgrid(*(np.arange(-40, 40, step) for step in spacing), indexing="ij")
    ball = sum(axis**2 for axis in axes) <= 30**2
    assert volume_ml(np.asarray(ball), spacing) == pytest.approx(4 / 3 * np.pi * 3**3, rel=0.005)


@given(st.integers(0, 60), st.permutations([1.0, 2.5, 10.0]))
def test_counts_voxels_in_any_axis_order(count: int, spacing: list[float]) -> None:
    mask = np.zeros(60, dtype=bool)
    mask[:count] = True
    assert volume_ml(mask.reshape(3, 4, 5), spacing) == pytest.approx(count * 0.025)


def test_every_structure_or_a_reason() -> None:
    label_map = np.zeros((4, 4, 4), dtype=np.uint8)
    label_map[0], label_map[1, 0, 0] = 3, 1
    volumes = structure_volumes(label_map, (10, 10, 5), LABELS)
    assert volumes == {"RV": Measurement(0.5), "MYO": Measurement(None, "MYO is absent"), "LV": Measurement(8.0)}
