"""Whole volumes are looked at where inference will look."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tests.fakes.plan import fake_network, fake_plan
from tests.fakes.store import fake_store
from uumamba.inference.region import Region
from uumamba.inference.voxel_sample import SampleSize
from uumamba.training.validation import FindRegion, validate_volumes

SIZE = SampleSize(10_000, 10_000)


def always(*bounds: tuple[int, int]) -> FindRegion:
    """Finds the same box in every case."""
    first, second, third = bounds

    def find(data: NDArray[np.float32], spacing_mm: Sequence[float]) -> Region:
        assert data.shape == (1, 8, 40, 36)
        assert tuple(spacing_mm) == (5.0, 1.5, 1.25)
        return Region((first, second, third), found=True)

    return find


def test_a_region_is_looked_at_alone_and_the_whole_image_is_a_region(tmp_path: Path) -> None:
    store, plan = fake_store(tmp_path, cases=1), fake_plan((16, 16))
    network, cpu = fake_network(plan).eval(), torch.device("cpu")
    without, whole, part = (
        validate_volumes(network, store, ["case0"], plan, cpu, size=SIZE, find=find)["case0"]
        for find in (None, always((0, 8), (0, 40), (0, 36)), always((2, 6), (10, 30), (0, 20)))
    )
    assert whole.dice == without.dice
    for each in (without, whole, part):
        assert each.sample is not None
        assert each.prediction is not None
    np.testing.assert_array_equal(whole.prediction.unpack(), without.prediction.unpack())  # type: ignore[union-attr]
    np.testing.assert_array_equal(whole.sample.logits, without.sample.logits)  # type: ignore[union-attr]
    predicted = part.prediction.unpack()  # type: ignore[union-attr]
    assert predicted.shape == (8, 40, 36)
    assert predicted[2:6, 10:30, :20].any()
    predicted[2:6, 10:30, :20] = 0
    assert not predicted.any()
    assert part.sample.weights.sum() == 4 * 20 * 20  # type: ignore[union-attr]
    assert part.dice != without.dice
