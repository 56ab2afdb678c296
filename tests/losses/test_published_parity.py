"""Our loss against the published code's numbers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from uumamba.core.labels import LabelSet
from uumamba.losses.segmentation import LossSettings
from uumamba.losses.weighting import UncertaintyWeighting

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "loss"
LABELS = LabelSet(names=("background", "one", "two", "three"))

pytestmark = [
    pytest.mark.skipif(not PARITY.is_dir(), reason=f"no published numbers at {PARITY}"),
    pytest.mark.parametrize("batch_dice", [True, False]),
]


def load(batch_dice: bool) -> dict[str, Tensor]:
    """The published tensors, with an integer target and logits to differentiate."""
    content = load_file(PARITY / f"loss_batchdice_{str(batch_dice).lower()}.safetensors")
    content["target"] = content["target"].long()
    content["logits"].requires_grad_()
    return content


def test_published_objective(batch_dice: bool) -> None:
    """Terms, total and gradients with the file's sigma; dL/ds = dL/dsigma * sigma / 2, since s = log sigma^2."""
    content = load(batch_dice)
    loss = LossSettings(name="published").build(labels=LABELS, batch_dice=batch_dice, levels=1)
    weighting = UncertaintyWeighting(dict(zip(loss.terms, (0.5 / content["sigma"] ** 2).tolist(), strict=True)))
    loss.weighting = weighting
    value = loss([content["logits"]], [content["target"]])
    value.total.backward()
    names = {"region": "dice", "distribution": "cross_entropy", "pixel": "focal_published_code"}
    for ours, theirs in names.items():
        torch.testing.assert_close(value.terms[ours], content[theirs][0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(value.total, content["total"][0], rtol=1e-5, atol=1e-6)
    assert content["logits"].grad is not None
    assert weighting.s.grad is not None
    torch.testing.assert_close(content["logits"].grad, content["grad_logits"], rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(weighting.s.grad, content["grad_sigma"] * content["sigma"] / 2, rtol=1e-5, atol=1e-6)


def test_ours_is_one_minus_dice_and_the_same_cross_entropy(batch_dice: bool) -> None:
    """What we keep of the published terms is kept exactly."""
    content = load(batch_dice)
    loss = LossSettings().build(labels=LABELS, batch_dice=batch_dice, levels=1)
    terms = loss([content["logits"]], [content["target"]]).terms
    torch.testing.assert_close(terms["region"], 1 + content["dice"][0])
    torch.testing.assert_close(terms["distribution"], content["cross_entropy"][0])
