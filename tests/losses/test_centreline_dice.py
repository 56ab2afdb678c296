"""The centreline term against MONAI's and a slow skeleton, at its limits, and by the names of the structures."""

import pytest
import torch
from monai.losses.cldice import SoftclDiceLoss, soft_skel
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import ConfigError
from uumamba.core.labels import LabelSet
from uumamba.losses.centreline_dice import CentrelineDiceSettings, centreline, soft_skeleton
from uumamba.losses.level import Level, compare
from uumamba.losses.segmentation import LossSettings

LABELS = LabelSet(names=("background", "heart", "LAD", "LCX"))
SHAPES = pytest.mark.parametrize("size", [(9, 11), (1, 7), (6, 5, 7), (5, 1, 4)], ids=str)


def logits_of(label_map: Tensor, classes: int, sure: float = 60.0) -> Tensor:
    return sure * functional.one_hot(label_map[:, 0], classes).movedim(-1, 1).double()


def tube(size: tuple[int, ...] = (12, 12, 24)) -> Tensor:
    """A tube of 3 x 3 voxels along the last axis, number 1."""
    label_map = torch.zeros(1, 1, *size, dtype=torch.int64)
    label_map[..., 5:8, 5:8, :] = 1
    return label_map


@SHAPES
@pytest.mark.parametrize("iterations", [1, 4])
def test_the_soft_skeleton_is_monais(size: tuple[int, ...], iterations: int) -> None:
    """Bit for bit, at the image's edge and along single voxels too."""
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(soft_skeleton(image, iterations), soft_skel(image, iterations))


def slow_extreme(image: Tensor, place: tuple[int, ...], *, corners: bool, largest: bool) -> float:
    """Of a voxel and its neighbours, by faces or by corners too, one by one; (x, y)."""
    values = [
        image[place[0] + a, place[1] + b].item()
        for a in (-1, 0, 1)
        for b in (-1, 0, 1)
        if (corners or 0 in (a, b)) and 0 <= place[0] + a < image.shape[0] and 0 <= place[1] + b < image.shape[1]
    ]
    return max(values) if largest else min(values)


def test_the_soft_skeleton_written_out() -> None:
    image = torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    places = [(x, y) for x in range(6) for y in range(5)]
    current, line = image.clone(), torch.zeros_like(image)
    for _ in range(3):
        eroded, opened = torch.zeros_like(image), torch.zeros_like(image)
        for place in places:
            eroded[place] = slow_extreme(current, place, corners=False, largest=False)
        for place in places:
            opened[place] = slow_extreme(eroded, place, corners=True, largest=True)
        lost = (current - opened).clamp(min=0)
        line = line + (lost - line * lost).clamp(min=0)
        current = eroded
    torch.testing.assert_close(soft_skeleton(image[None, None], 2)[0, 0], line)


@SHAPES
def test_one_structure_is_monais_loss(size: tuple[int, ...]) -> None:
    """Value and gradient, but for MONAI's 1e-4 in the harmonic mean, which is switched off here."""
    random = torch.Generator().manual_seed(2)
    target = torch.randint(0, 2, (2, 1, *size), generator=random)
    ours = torch.randn(2, 2, *size, generator=random, dtype=torch.float64).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    value = centreline(compare(ours, target), iterations=3, batch_dice=False)
    monai = SoftclDiceLoss(3, smooth=1e-15, include_background=False, softmax=True, to_onehot_y=True)
    expected = monai(theirs, target)
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("batch_dice", [True, False])
def test_right_is_zero_and_disjoint_is_nearly_one(batch_dice: bool) -> None:
    target = tube()
    right = centreline(compare(logits_of(target, 2), target), batch_dice=batch_dice)
    assert right.item() == pytest.approx(0, abs=1e-6)
    wrong = centreline(compare(logits_of(target.roll(6, dims=-3), 2), target), batch_dice=batch_dice)
    assert wrong.item() > 0.9


def test_a_break_costs_more_than_as_many_voxels_at_the_wall() -> None:
    target = tube()
    broken, thinner = target.clone(), target.clone()
    broken[..., 8:12] = 0
    thinner[..., 5:8, 5, 2:14] = 0
    assert int((target - broken).sum()) == int((target - thinner).sum()) == 36
    values = [centreline(compare(logits_of(each, 2), target), batch_dice=True).item() for each in (broken, thinner)]
    assert values[0] > 3 * values[1]


def test_an_absent_structure_costs_what_is_predicted_of_it() -> None:
    """Unlike the region term it has a gradient there, which takes the line away."""
    target = torch.zeros(1, 1, 12, 12, 24, dtype=torch.int64)
    silent = centreline(compare(logits_of(target, 2), target), batch_dice=True)
    assert silent.item() == pytest.approx(0, abs=1e-6)
    invented = logits_of(tube(), 2, sure=2.0).requires_grad_()
    value = centreline(compare(invented, target), batch_dice=True)
    value.backward()
    assert value.item() > 0.5
    assert invented.grad is not None
    assert invented.grad[:, 1].max() > 1e-4


def test_batch_dice_sums_over_the_batch_and_all_processes() -> None:
    """Two processes with an element each, whose sums are added up, have the loss of the whole batch."""
    random = torch.Generator().manual_seed(3)
    target = torch.randint(0, 3, (2, 1, 6, 7), generator=random)
    logits = torch.randn(2, 3, 6, 7, generator=random)
    levels = [compare(logits[i : i + 1], target[i : i + 1]) for i in (0, 1)]
    own: list[Tensor] = []

    def note(sums: Tensor) -> Tensor:
        own.append(sums)
        return sums

    alone = [centreline(level, batch_dice=True, batch_total=note) for level in levels]
    whole = centreline(compare(logits, target), batch_dice=True)
    together = centreline(levels[0], batch_dice=True, batch_total=lambda _: own[0] + own[1])
    torch.testing.assert_close(together, whole)
    separate = centreline(compare(logits, target), batch_dice=False, batch_total=lambda _: torch.zeros(4, 2))
    torch.testing.assert_close(separate, torch.stack(alone).mean())


def test_structures_by_name() -> None:
    """The others have no influence, and no gradient of this term but by the softmax."""
    random = torch.Generator().manual_seed(4)
    target = torch.randint(0, 4, (1, 1, 7, 8), generator=random)
    level = compare(torch.randn(1, 4, 7, 8, generator=random), target)
    of_all, of_two = (
        CentrelineDiceSettings(structures=names).build(labels=LABELS, batch_dice=True)(level)
        for names in (None, ("LCX", "LAD"))
    )
    assert torch.equal(of_two, centreline(level, structures=[1, 2], batch_dice=True))
    assert of_two != of_all
    every = CentrelineDiceSettings(structures=("heart", "LCX", "LAD")).build(labels=LABELS, batch_dice=True)
    assert torch.equal(every(level), of_all)


def test_a_region_is_a_structure_by_its_own_output() -> None:
    """Of two regions, by sigmoids, the inner one alone is asked for; the outer one's output does not matter."""
    labels = LabelSet(names=("background", "heart", "LAD"), regions=((1, 2), (2,)), written=(1, 2))
    target = tube((12, 12, 16)) + 1
    logits = torch.stack([torch.zeros(1, 12, 12, 16), 60.0 * (target[:, 0] == 2) - 30], dim=1).requires_grad_()
    settings = LossSettings(centreline=CentrelineDiceSettings(structures=("LAD",)))
    value = settings.build(labels=labels, batch_dice=True, levels=1)([logits], [target])
    assert value.terms["centreline"].item() == pytest.approx(0, abs=1e-6)
    assert value.terms["region"].item() > 0.1


def test_an_unknown_structure() -> None:
    settings = LossSettings(centreline=CentrelineDiceSettings(structures=("LAD", "RCA")))
    with pytest.raises(ConfigError, match=r"structures: must be among heart, LAD, LCX, got 'RCA'; null is all of them"):
        settings.build(labels=LABELS, batch_dice=True, levels=1)


def test_full_resolution_alone() -> None:
    """Of all levels the first counts, wholly; it is the fourth term, with a weight of its own that is learned."""
    random = torch.Generator().manual_seed(5)
    logits = [torch.randn(1, 4, size, size, generator=random) for size in (12, 6, 3)]
    target = [torch.randint(0, 4, (1, 1, size, size), generator=random) for size in (12, 6, 3)]
    loss = LossSettings(centreline=CentrelineDiceSettings(weight=0.25)).build(labels=LABELS, batch_dice=True, levels=3)
    assert loss.weights() == {"region": 0.5, "distribution": 0.5, "pixel": 0.5, "centreline": 0.25}
    assert [parameter.shape for parameter in loss.parameters()] == [(4,)]
    value = loss(logits, target)
    assert value.terms["centreline"] == centreline(compare(logits[0], target[0]), batch_dice=True)
    assert value.terms["centreline"] == loss(logits[:1], target).terms["centreline"]
    plain = LossSettings().build(labels=LABELS, batch_dice=True, levels=3)(logits, target)
    assert {name: value.terms[name] for name in plain.terms} == plain.terms


def test_other_precision_is_raised() -> None:
    """Maps in half precision are compared in float32 by `compare`; a level in float64 stays."""
    target = tube((8, 12, 12))
    level: Level = compare(logits_of(target, 2).half(), target)
    assert centreline(level, batch_dice=True).dtype == torch.float32
    assert centreline(compare(logits_of(target, 2), target), batch_dice=True).dtype == torch.float64
