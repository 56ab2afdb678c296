"""The pixel term: its formula, its limits and what the second softmax did to it."""

import math

import pytest
import torch

from uumamba.losses.cross_entropy import distribution
from uumamba.losses.focal import pixel, pixel_as_published
from uumamba.losses.level import compare


def test_formula() -> None:
    """One voxel, p = 0.8: 0.5 * 0.2^2 * -log 0.8."""
    level = compare(torch.tensor([0.2, 0.8]).log().view(1, 2, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.int64))
    assert pixel(level) == pytest.approx(0.5 * 0.04 * -math.log(0.8))


def test_gamma_zero_is_cross_entropy() -> None:
    """Without focus it is alpha times the distribution term."""
    level = compare(torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 1, 5, 6)))
    torch.testing.assert_close(pixel(level, gamma=0, alpha=1), distribution(level))


def test_certain_voxels_have_a_finite_gradient() -> None:
    """At p = 1 exactly, value and gradient are 0."""
    logits = torch.tensor([1000.0, 0.0]).view(1, 2, 1, 1).requires_grad_()
    value = pixel(compare(logits, torch.zeros(1, 1, 1, 1, dtype=torch.int64)))
    value.backward()
    assert value == 0
    assert logits.grad is not None
    assert logits.grad.count_nonzero() == 0


def test_second_softmax_flattens_the_gradient() -> None:
    """With 24 classes the published term has a few per cent of the gradient; ours sees the error."""
    norms = []
    for term in (pixel, pixel_as_published):
        logits = torch.zeros(1, 24, 8, 8, requires_grad=True)
        term(compare(logits, torch.zeros(1, 1, 8, 8, dtype=torch.int64))).backward()
        assert logits.grad is not None
        norms.append(logits.grad.norm())
    assert norms[1] / norms[0] == pytest.approx(0.04, abs=0.01)
