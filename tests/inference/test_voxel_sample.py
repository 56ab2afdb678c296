"""Voxels that stand for a case: all of a small one, and as many of a large one as memory is for."""

import numpy as np
import pytest
import torch

from tests.fakes.plan import fake_plan
from uumamba.inference.voxel_sample import (
    MOST_BYTES,
    MOST_FAR,
    MOST_NEAR,
    SampleSize,
    VoxelSample,
    sample_size,
    sample_voxels,
)

SHAPE = (6, 40, 40)
ALL = SampleSize(10**6, 10**6)


def case(seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Logits that find a small ball nearly, and the ball."""
    random = np.random.default_rng(seed)
    reference = np.zeros(SHAPE, np.int16)
    reference[2:4, 5:10, 5:10] = 1
    reference[3, 6:8, 6:8] = 2
    logits = random.normal(size=(3, *SHAPE)).astype(np.float32)
    logits[0] += 12
    for number in (1, 2):
        logits[number][np.roll(reference, 1, axis=2) == number] += 20
    return torch.from_numpy(logits), reference


def draw(size: SampleSize, *, name: str = "a", ignore: int | None = None, seed: int = 0) -> VoxelSample:
    """A sample of the case on a grid of 5 x 1.5 x 1.25 mm."""
    logits, reference = case(seed)
    return sample_voxels(logits, reference, fake_plan((16, 16), ignore=ignore), case=name, size=size)


def test_a_small_case_is_taken_whole() -> None:
    sample = draw(ALL)
    logits, reference = case()
    assert len(sample.reference) == reference.size
    assert (sample.weights == 1).all()
    everything = np.concatenate([logits.flatten(1).T.numpy(), reference.reshape(-1, 1)], axis=1)
    drawn = np.concatenate([sample.logits, sample.reference[:, None]], axis=1)
    np.testing.assert_array_equal(np.unique(everything, axis=0), np.unique(drawn, axis=0))


def test_near_is_ten_millimetres_from_what_is_predicted_or_true() -> None:
    """Foreground: slices 2 and 3, rows 5 to 9, columns 5 to 10; near: 2 slices, 6 rows, 8 columns more on each side."""
    sample = draw(ALL)
    assert sample.near.sum() == 6 * (9 + 6 + 1) * (10 + 8 + 1)
    assert (sample.reference[~sample.near] == 0).all()
    assert (sample.logits[~sample.near].argmax(1) == 0).all()


def test_weights_sum_to_the_voxels_of_each_region_and_the_same_name_draws_the_same() -> None:
    whole, some = draw(ALL), draw(SampleSize(near=100, far=30))
    assert (some.near.sum(), (~some.near).sum()) == (100, 30)
    for near in (True, False):
        assert some.weights[some.near == near].sum() == pytest.approx((whole.near == near).sum())
    again, other = draw(SampleSize(100, 30)), draw(SampleSize(100, 30), name="b")
    np.testing.assert_array_equal(again.logits, some.logits)
    assert (other.logits != some.logits).any()


def test_ignored_voxels_are_never_drawn_and_outside_is_background() -> None:
    logits, reference = case()
    reference[:3] = 9
    reference[5] = -1
    sample = sample_voxels(logits, reference, fake_plan((16, 16), ignore=9), case="a", size=ALL)
    assert len(sample.reference) == (reference != 9).sum()
    assert set(sample.reference.tolist()) == {0, 1, 2}
    reference[:] = 9
    nothing = sample_voxels(logits, reference, fake_plan((16, 16), ignore=9), case="a", size=ALL)
    assert nothing.logits.shape == (0, 3)


@pytest.mark.parametrize(("cases", "classes"), [(0, 2), (40, 4), (300, 24), (10**5, 105)])
def test_all_samples_together_keep_to_their_memory(cases: int, classes: int) -> None:
    size = sample_size(cases, classes)
    assert 1 <= size.near <= MOST_NEAR
    assert 1 <= size.far <= MOST_FAR
    taken = cases * classes * 4 * (size.near + size.far)
    assert taken <= MOST_BYTES or size == SampleSize(1, 1)
    if (cases, classes) == (40, 4):
        assert size == SampleSize()
