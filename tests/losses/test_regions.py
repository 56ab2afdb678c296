"""The loss of regions: its laws, and nnU-Net's numbers."""

from typing import Literal

import pytest
import torch
from nnunetv2.training.loss.compound_losses import DC_and_BCE_loss
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from torch import Tensor

from uumamba.core.errors import ConfigError
from uumamba.core.labels import LabelSet
from uumamba.losses.centreline_dice import CentrelineDiceSettings, centreline
from uumamba.losses.cross_entropy import distribution
from uumamba.losses.focal import pixel
from uumamba.losses.level import compare
from uumamba.losses.segmentation import LossSettings, SegmentationLoss

NAMES, REGIONS = ("background", "heart", "left", "LV"), ((1, 2, 3), (2, 3), (3,))
LABELS = LabelSet(names=NAMES, regions=REGIONS, written=(1, 2, 3), ignore=4)
WITHOUT_IGNORE = LABELS.model_copy(update={"ignore": None})
SIZES = pytest.mark.parametrize("size", [(7, 6), (3, 5, 4)], ids=["2d", "3d"])
Name = Literal["uncertainty", "fixed"]
BATCH_DICE = pytest.mark.parametrize("batch_dice", [True, False])


def draw(size: tuple[int, ...], highest: int = 3, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Logits of three regions, and a label map with numbers up to `highest`."""
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 3, *size, generator=random, dtype=dtype)
    return logits.requires_grad_(), torch.randint(0, highest + 1, (2, 1, *size), generator=random)


def build(labels: LabelSet, name: Name = "fixed", batch_dice: bool = True) -> SegmentationLoss:
    return LossSettings(name=name).build(labels=labels, batch_dice=batch_dice, levels=1)


def nnunets(logits: Tensor, target: Tensor, *, batch_dice: bool, ignore: bool, weights: tuple[float, float]) -> Tensor:
    """nnU-Net's loss of regions; the targets are made as its transforms make them, the ignore label last."""
    masks = [torch.isin(target[:, 0], torch.tensor(numbers)) for numbers in (*REGIONS, *([(4,)] if ignore else []))]
    loss = DC_and_BCE_loss(
        {},
        {"batch_dice": batch_dice, "do_bg": True, "smooth": 1e-5, "ddp": False},
        weight_dice=weights[0],
        weight_ce=weights[1],
        use_ignore_label=ignore,
        dice_class=MemoryEfficientSoftDiceLoss,
    )
    value: Tensor = loss(logits, torch.stack(masks, dim=1))
    return value


@SIZES
@BATCH_DICE
@pytest.mark.parametrize("ignore", [False, True])
def test_dice_and_cross_entropy_are_nnunets(size: tuple[int, ...], batch_dice: bool, ignore: bool) -> None:
    """Values and gradients; with an ignore label nnU-Net sums the cross-entropy over the regions, we take the mean."""
    logits, target = draw(size, highest=4 if ignore else 3)
    terms = build(LABELS if ignore else WITHOUT_IGNORE, batch_dice=batch_dice)
    for weights in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        ours = LossSettings(name="fixed", weights=(*weights, 0.0)).build(
            labels=LABELS if ignore else WITHOUT_IGNORE, batch_dice=batch_dice, levels=1
        )
        share = weights[1] / 3 if ignore else weights[1]
        theirs = nnunets(logits, target, batch_dice=batch_dice, ignore=ignore, weights=(weights[0], share))
        total = ours([logits], [target]).total
        torch.testing.assert_close(total, theirs + weights[0])
        gradients = [torch.autograd.grad(value, logits)[0] for value in (total, theirs)]
        torch.testing.assert_close(gradients[0], gradients[1])
    assert set(terms([logits], [target]).terms) == {"region", "distribution", "pixel"}


@SIZES
@BATCH_DICE
def test_gradient_equals_finite_differences(size: tuple[int, ...], batch_dice: bool) -> None:
    loss = build(LABELS, "uncertainty", batch_dice).double()
    logits, target = draw(size, 4, torch.float64)

    def total(logits: Tensor, *_: Tensor) -> Tensor:
        value: Tensor = loss([logits], [target]).total
        return value

    assert torch.autograd.gradcheck(total, (logits, *loss.parameters()), eps=1e-6, atol=1e-7)


@SIZES
def test_ignored_voxels_have_no_influence(size: tuple[int, ...]) -> None:
    logits, target = draw(size, 4)
    loss = build(LABELS, "uncertainty")
    value = loss([logits], [target]).total
    value.backward()
    ignored = (target == 4).expand_as(logits)
    changed = torch.where(ignored, 50 * torch.randn_like(logits), logits).detach()
    assert torch.equal(loss([changed], [target]).total, value)
    assert logits.grad is not None
    assert ignored.any()
    assert logits.grad[ignored].count_nonzero() == 0
    assert logits.grad[~ignored].count_nonzero() > 0
    nothing = loss([logits.detach().requires_grad_()], [torch.full_like(target, 4)])
    assert nothing.terms["distribution"] == nothing.terms["pixel"] == 0


@SIZES
def test_an_ignore_label_that_no_voxel_has_changes_nothing(size: tuple[int, ...]) -> None:
    logits, target = draw(size)
    with_it, without = (build(labels)([logits], [target]).terms for labels in (LABELS, WITHOUT_IGNORE))
    for name, term in with_it.items():
        torch.testing.assert_close(term, without[name])


def test_the_binary_focal_loss_is_its_formula_and_without_focus_the_cross_entropy() -> None:
    logits, target = draw((7, 6))
    level = compare(logits, target, regions=REGIONS)
    torch.testing.assert_close(pixel(level, gamma=0, alpha=1), distribution(level))
    right = [torch.isin(target[:, 0], torch.tensor(numbers)) for numbers in REGIONS]
    truth = torch.stack(right, dim=1)
    p = torch.where(truth, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(pixel(level), (-0.5 * (1 - p) ** 2 * p.log()).mean())


def test_right_everywhere_has_no_loss_and_extreme_logits_are_finite() -> None:
    _, target = draw((7, 6))
    truth = compare(torch.zeros(2, 3, 7, 6), target, regions=REGIONS).within
    assert truth is not None
    for scale in (60, 1000):
        right = torch.where(truth, scale, -scale).half().requires_grad_()
        assert build(WITHOUT_IGNORE)([right], [target]).total.item() == pytest.approx(0, abs=1e-6)
        wrong = build(WITHOUT_IGNORE)([-right], [target]).total
        wrong.backward()
        assert torch.isfinite(wrong)
        assert right.grad is not None
        assert right.grad.isfinite().all()


def test_a_centreline_term_of_regions_is_that_of_each_alone() -> None:
    """Of a region alone, seen as a choice between two labels whose logits are 0 and its own."""
    logits, target = draw((9, 8))
    names = CentrelineDiceSettings(structures=("left",), iterations=2)
    value = LossSettings(centreline=names).build(labels=LABELS, batch_dice=True, levels=1)([logits], [target])
    two = torch.stack([torch.zeros_like(logits[:, 1]), logits[:, 1]], dim=1)
    alone = compare(two, torch.isin(target, torch.tensor([2, 3])).long())
    torch.testing.assert_close(value.terms["centreline"], centreline(alone, iterations=2, batch_dice=True))


def test_the_published_loss_has_no_regions() -> None:
    with pytest.raises(
        ConfigError, match=r"loss\.name: 'published' .* regions \(1\+2\+3 heart, .*\); take 'uncertainty'"
    ):
        LossSettings(name="published").build(labels=LABELS, batch_dice=True, levels=1)
