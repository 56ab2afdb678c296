"""Laws that hold for every loss, in 2D and 3D."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from uumamba.core.labels import LabelSet
from uumamba.losses.centreline_dice import CentrelineDiceSettings
from uumamba.losses.segmentation import LossSettings, SegmentationLoss

WITH_CENTRELINE = "uncertainty, centreline"
NAMES = (*get_args(LossSettings.model_fields["name"].annotation), WITH_CENTRELINE)
LABELS = LabelSet(names=("background", "RV", "MYO", "LV"), ignore=4)
SIZES = [(4, 3), (2, 3, 3)]
LEVELS = 3

pytestmark = [
    pytest.mark.parametrize("name", NAMES),
    pytest.mark.parametrize("batch_dice", [True, False]),
    pytest.mark.parametrize("size", SIZES, ids=["2d", "3d"]),
]


def build(name: str, batch_dice: bool) -> SegmentationLoss:
    settings = LossSettings.model_validate({"name": name.partition(",")[0]})
    if name == WITH_CENTRELINE:
        settings = LossSettings(centreline=CentrelineDiceSettings(iterations=2))
    return settings.build(labels=LABELS, batch_dice=batch_dice, levels=LEVELS)


def draw(size: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], list[Tensor]]:
    """Logits and targets of three levels, the second and third half and a third of the size, some voxels ignored."""
    random = torch.Generator().manual_seed(0)
    sizes = [tuple(-(-length // (level + 1)) for length in size) for level in range(LEVELS)]
    logits = [3 * torch.randn(2, 4, *level, generator=random, dtype=dtype) for level in sizes]
    target = [torch.randint(0, 5, (2, 1, *level), generator=random) for level in sizes]
    for labels in target:
        labels[0, 0].view(-1)[0] = 4
    return [level.requires_grad_() for level in logits], target


def test_there_are_four_losses(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """The walk has found something, and each name builds."""
    assert len(NAMES) == 4
    more = {"centreline"} if name == WITH_CENTRELINE else set()
    assert set(build(name, batch_dice).weights()) == {"region", "distribution", "pixel"} | more
    assert len(size) in (2, 3)


def test_gradient_equals_finite_differences(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Checked in float64 with respect to the logits and the learned weights."""
    loss = build(name, batch_dice).double()
    logits, target = draw(size, torch.float64)
    weights = list(loss.parameters())

    def total(*inputs: Tensor) -> Tensor:
        value: Tensor = loss(inputs[:LEVELS], target).total
        return value

    assert torch.autograd.gradcheck(total, (*logits, *weights), eps=1e-6, atol=1e-7)


def test_ignored_voxels_have_no_influence(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Other logits there give bitwise the same loss, and their gradient is exactly 0."""
    loss = build(name, batch_dice)
    logits, target = draw(size)
    changed = [
        torch.where(labels == 4, 50 * torch.randn_like(level), level).detach()
        for level, labels in zip(logits, target, strict=True)
    ]
    value = loss(logits, target)
    value.total.backward()
    assert torch.equal(loss(changed, target).total, value.total)
    for level, labels in zip(logits[:-1], target[:-1], strict=True):
        ignored = (labels == 4).expand_as(level)
        assert level.grad is not None
        assert ignored.any()
        assert level.grad[ignored].count_nonzero() == 0
        assert level.grad[~ignored].count_nonzero() > 0


def test_everything_ignored_is_finite_and_still(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Without a voxel that counts there is nothing to learn: zero gradient, and no NaN."""
    logits, target = draw(size)
    value = build(name, batch_dice)(logits, [torch.full_like(level, 4) for level in target])
    value.total.backward()
    assert torch.isfinite(value.total)
    assert all(level.grad is None or level.grad.count_nonzero() == 0 for level in logits)
    assert value.terms["distribution"] == value.terms["pixel"] == 0


def test_order_of_the_batch_does_not_matter(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Swapping the batch's elements leaves the loss."""
    loss = build(name, batch_dice)
    logits, target = draw(size)
    swapped = loss([level.flip(0) for level in logits], [level.flip(0) for level in target])
    torch.testing.assert_close(swapped.total, loss(logits, target).total)


def test_extreme_logits_stay_finite(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Logits of +-1000, right or wrong, in half precision: finite loss and gradients."""
    logits, target = draw(size)
    extreme = [(1000 * level.sign()).detach().half().requires_grad_() for level in logits]
    value = build(name, batch_dice)(extreme, target)
    value.total.backward()
    assert torch.isfinite(value.total)
    assert all(level.grad is None or level.grad.isfinite().all() for level in extreme)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(name: str, batch_dice: bool, size: tuple[int, ...], half: torch.dtype) -> None:
    """Inside autocast the loss is computed in float32, bitwise as outside."""
    loss = build(name, batch_dice)
    logits, target = draw(size)
    low = [level.detach().to(half) for level in logits]
    with torch.autocast("cpu", dtype=half):
        inside = loss(low, target)
    assert inside.total.dtype == torch.float32
    assert torch.equal(inside.total, loss([level.float() for level in low], target).total)


def test_lowest_level_takes_no_part(name: str, batch_dice: bool, size: tuple[int, ...]) -> None:
    """Its weight is 0: no gradient, and not even NaN gets through."""
    logits, target = draw(size)
    spoilt = [*logits[:-1], torch.full_like(logits[-1], torch.nan).requires_grad_()]
    total = build(name, batch_dice)(spoilt, target).total
    total.backward()
    assert torch.isfinite(total)
    assert spoilt[-1].grad is None
