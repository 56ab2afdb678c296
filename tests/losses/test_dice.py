"""The region term against a slow one-hot reference, and its limits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from uumamba.losses.dice import region, soft_dice
from uumamba.losses.level import compare


def reference_dice(logits: Tensor, target: Tensor, *, batch_dice: bool, smooth: float) -> Tensor:
    """Soft Dice written out per structure and element."""
    probability = logits.softmax(1)
    values = []
    for structure in range(1, logits.shape[1]):
        overlap, sizes = [], []
        for element in range(len(logits)):
            p, r = probability[element, structure], (target[element, 0] == structure).to(logits.dtype)
            overlap.append((p * r).sum())
            sizes.append(p.sum() + r.sum())
        if batch_dice:
            overlap, sizes = [torch.stack(overlap).sum()], [torch.stack(sizes).sum()]
        values += [(2 * o + smooth) / (s + smooth) for o, s in zip(overlap, sizes, strict=True)]
    return torch.stack(values).mean()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31), batch=st.integers(1, 3), classes=st.integers(2, 5), batch_dice=st.booleans(),
    size=st.lists(st.integers(1, 5), min_size=2, max_size=3), smooth=st.sampled_from([1e-5, 1.0]),
)  # fmt: skip
def test_equals_the_written_out_sum(
    seed: int, batch: int, classes: int, batch_dice: bool, size: list[int], smooth: float
) -> None:
    """Any size, number of classes and smooth; always in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(batch, classes, *size, generator=random, dtype=torch.float64)
    target = torch.randint(0, classes, (batch, 1, *size), generator=random)
    level = compare(logits, target)
    expected = reference_dice(logits, target, batch_dice=batch_dice, smooth=smooth)
    torch.testing.assert_close(soft_dice(level, batch_dice=batch_dice, smooth=smooth), expected)
    assert 0 <= region(level, batch_dice=batch_dice, smooth=smooth) <= 1


@pytest.mark.parametrize("batch_dice", [True, False])
def test_right_everywhere_is_zero_and_wrong_everywhere_is_one(batch_dice: bool) -> None:
    """The two ends, with every structure present."""
    target = torch.arange(4).repeat(2, 1, 6, 1)
    right = 100 * torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1).float()
    assert region(compare(right, target), batch_dice=batch_dice) == pytest.approx(0, abs=1e-6)
    assert region(compare(right.roll(1, dims=1), target), batch_dice=batch_dice) == pytest.approx(1, abs=1e-6)


def test_absent_structure() -> None:
    """Absent and not predicted: no loss. Absent and predicted: its full share of the loss, hardly a gradient."""
    target = torch.zeros(1, 1, 8, 8, dtype=torch.int64)
    silent = torch.stack([torch.full((1, 8, 8), 50.0), torch.zeros(1, 8, 8)], dim=1)
    assert region(compare(silent, target), batch_dice=True) == pytest.approx(0, abs=1e-6)
    unsure = torch.zeros(1, 2, 8, 8, requires_grad=True)
    value = region(compare(unsure, target), batch_dice=True)
    value.backward()
    assert value.item() == pytest.approx(1, abs=1e-6)
    assert unsure.grad is not None
    assert unsure.grad.abs().max() < 1e-6


def test_batch_dice_pools_the_batch() -> None:
    """One element without, one with the structure: pooled they score as one, alone the empty one drags the mean."""
    target = torch.zeros(2, 1, 4, 4, dtype=torch.int64)
    target[1] = 1
    logits = torch.zeros(2, 2, 4, 4)
    logits[1, 1] = 2
    probability = torch.tensor(2.0).sigmoid().item()
    level = compare(logits, target)
    pooled, alone = 2 * probability / (0.5 + probability + 1), 2 * probability / (probability + 1)
    assert soft_dice(level, batch_dice=True, smooth=1e-5).item() == pytest.approx(pooled, abs=1e-5)
    assert soft_dice(level, batch_dice=False, smooth=1e-5).item() == pytest.approx(alone / 2, abs=1e-5)


def test_large_volume_keeps_its_precision() -> None:
    """One and a half million voxels in float32 agree with float64."""
    random = torch.Generator().manual_seed(3)
    logits = torch.randn(1, 2, 96, 128, 128, generator=random)
    target = (torch.rand(1, 1, 96, 128, 128, generator=random) < 0.01).long()
    exact = region(compare(logits.double(), target), batch_dice=True)
    assert region(compare(logits, target), batch_dice=True) == pytest.approx(exact.item(), abs=1e-6)
