"""The whole loss: levels, weights, settings and their errors."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.losses.centreline_dice import CentrelineDiceSettings
from uumamba.losses.deep_supervision import level_weights
from uumamba.losses.segmentation import LossSettings

LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))


def draw(sizes: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Random logits and targets, one square level per size."""
    random = torch.Generator().manual_seed(2)
    logits = [torch.randn(2, 4, size, size, generator=random) for size in sizes]
    return logits, [torch.randint(0, 4, (2, 1, size, size), generator=random) for size in sizes]


def test_perfect_prediction_has_no_loss() -> None:
    """All three terms vanish; what is left of the total is what the weights cost."""
    _, target = draw([16, 8, 4])
    logits = [60 * functional.one_hot(level[:, 0], 4).movedim(-1, 1).float() for level in target]
    value = LossSettings().build(labels=LABELS, batch_dice=True, levels=3)(logits, target)
    assert {name: term.item() for name, term in value.terms.items()} == pytest.approx(
        {"region": 0, "distribution": 0, "pixel": 0}, abs=1e-6
    )
    assert value.total.item() == pytest.approx(3 * math.log(2))


def test_levels_are_summed_with_their_weights() -> None:
    """A term over levels is the weighted sum of the term at each level alone."""
    logits, target = draw([16, 8, 4, 2])
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=4)
    alone = [loss([level], [labels]).terms for level, labels in zip(logits, target, strict=True)]
    for name, term in loss(logits, target).terms.items():
        expected = sum(weight * terms[name].item() for weight, terms in zip(level_weights(4), alone, strict=True))
        assert term.item() == pytest.approx(expected, rel=1e-6)


def test_one_weighting_for_all_levels() -> None:
    """Weighing the summed terms equals the weighted sum of each level's total."""
    logits, target = draw([16, 8, 4])
    loss = LossSettings(weights=(0.3, 0.7, 2.0)).build(labels=LABELS, batch_dice=False, levels=3)
    totals = [loss([level], [labels]).total for level, labels in zip(logits, target, strict=True)]
    expected = sum(weight * total for weight, total in zip(level_weights(3), totals, strict=True))
    torch.testing.assert_close(loss(logits, target).total, expected)


def test_validation_gives_the_full_resolution_alone() -> None:
    """One output counts fully, beside the training targets of all levels."""
    logits, target = draw([16, 8, 4])
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=3)
    assert torch.equal(loss(logits[:1], target).total, loss(logits[:1], target[:1]).total)


def test_terms_carry_no_graph_and_weights_are_learned() -> None:
    """The log's terms are detached; s is one parameter that the total reaches."""
    logits, target = draw([8])
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=1)
    value = loss([logits[0].requires_grad_()], target)
    value.total.backward()
    assert not any(term.requires_grad for term in value.terms.values())
    (s,) = loss.parameters()
    assert s.shape == (3,)
    assert s.grad is not None
    assert s.grad.count_nonzero() == 3
    assert list(loss.state_dict()) == ["weighting.s"]
    assert loss.weights() == {"region": 0.5, "distribution": 0.5, "pixel": 0.5}


@pytest.mark.parametrize("name", ["fixed", "published"])
def test_fixed_weights_have_no_parameters(name: Any) -> None:
    """Nothing to optimise, nothing in the checkpoint."""
    loss = LossSettings(name=name, weights=(1, 1, 0.5)).build(labels=LABELS, batch_dice=True, levels=2)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}
    assert loss.weights() == {"region": 1, "distribution": 1, "pixel": 0.5}


def test_published_starts_where_uncertainty_starts() -> None:
    """At p = 1 the published total differs from ours by Dice's sign and focal's second softmax alone."""
    logits, target = draw([16])
    ours = LossSettings().build(labels=LABELS, batch_dice=True, levels=1)(logits, target)
    published = LossSettings(name="published").build(labels=LABELS, batch_dice=True, levels=1)(logits, target)
    assert published.terms["region"].item() == pytest.approx(ours.terms["region"].item() - 1)
    assert published.terms["distribution"] == ours.terms["distribution"]
    difference = 0.5 * (1 + ours.terms["pixel"] - published.terms["pixel"])
    torch.testing.assert_close(ours.total - published.total, difference)


def test_wrong_number_of_levels() -> None:
    """The message names both numbers and the way out."""
    logits, target = draw([16, 8])
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=3)
    with pytest.raises(InputError, match=r"built for 3 levels, .* got 2 logits and 2 targets; build it with"):
        loss(logits, target)


@pytest.mark.parametrize("shape", [(2, 1, 8, 16), (2, 16, 16), (1, 1, 16, 16), (2, 1, 17, 16)])
def test_target_of_another_shape(shape: tuple[int, ...]) -> None:
    """Even one that torch would take: a smaller target is never compared with a corner of the logits."""
    logits, _ = draw([16])
    loss = LossSettings().build(labels=LABELS, batch_dice=True, levels=1)
    with pytest.raises(InputError, match=r"need a target of shape \(2, 1, 16, 16\), got .* its own size"):
        loss(logits, [torch.zeros(shape, dtype=torch.int64)])


@pytest.mark.parametrize(
    ("name", "weights"),
    [("uncertainty", (0.5, 0, 0.5)), ("published", (0, 1, 1)), ("fixed", (1, -1, 1)), ("fixed", (0, 0, 0))],
)
def test_impossible_weights(name: Any, weights: tuple[float, float, float]) -> None:
    """A learned weight cannot start at 0, and something must be minimised."""
    with pytest.raises(ValidationError, match=r"weights must be above 0 .* use name 'fixed' with weight 0"):
        LossSettings(name=name, weights=weights)


def test_the_published_loss_has_no_centreline_term() -> None:
    """It is for comparison with what was published."""
    with pytest.raises(ValidationError, match=r"centreline: name 'published' has three terms alone; take"):
        LossSettings(name="published", centreline=CentrelineDiceSettings())
