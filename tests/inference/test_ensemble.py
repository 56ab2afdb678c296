"""Laws of opinions: entropy, disagreement, means of probabilities."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from uumamba.core.labels import LabelSet
from uumamba.inference.ensemble import combine, mirrored_opinion
from uumamba.inference.mirroring import mirrored_logits, mirrored_mean
from uumamba.inference.scores import entropy_of

CLASSES = 3
LABELS = LabelSet(names=("background", "a", "b"))
REGIONS = LabelSet(names=("background", "all", "some", "one"), regions=((1, 2, 3), (2, 3), (3,)), written=(1, 2, 3))


def logits(*shape: int, seed: int = 0, scale: float = 3.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(seeds=st.lists(st.integers(0, 99), min_size=2, max_size=4), temperature=st.floats(0.5, 4))
def test_disagreement_is_between_zero_and_the_entropy(seeds: list[int], temperature: float) -> None:
    members = [torch.cat([logits(CLASSES, 2, 3, 4, seed=seed), torch.zeros(1, 2, 3, 4)]) for seed in seeds]
    combined = combine(members, [1 / len(seeds)] * len(seeds), [temperature] * len(seeds), LABELS)
    entropy = entropy_of(combined[:CLASSES].exp(), LABELS, dim=0)
    assert (combined[CLASSES] > -1e-6).all()
    assert (combined[CLASSES] < entropy + 1e-6).all()


def test_a_mean_of_probabilities_with_weights_and_temperatures() -> None:
    members = [logits(CLASSES, 2, 2, 2, seed=seed) for seed in (1, 2)]
    expected = 0.25 * torch.softmax(members[0] / 2, 0) + 0.75 * torch.softmax(members[1] / 0.5, 0)
    combined = combine(members, [0.25, 0.75], [2, 0.5], LABELS)
    torch.testing.assert_close(combined.exp(), expected)


def test_twins_agree() -> None:
    member = torch.cat([logits(CLASSES, 2, 2, 2), torch.full((1, 2, 2, 2), 0.125)])
    combined = combine([member, member], [0.5, 0.5], [1, 1], LABELS)
    torch.testing.assert_close(combined[:CLASSES].exp(), torch.softmax(member[:CLASSES], 0))
    torch.testing.assert_close(combined[CLASSES], member[CLASSES])  # what each disagrees with itself is left


def test_what_is_impossible_stays_finite() -> None:
    member = torch.tensor([[1e4], [0.0], [-1e4]]).reshape(CLASSES, 1, 1, 1)
    assert torch.isfinite(combine([member, member], [0.5, 0.5], [1, 1], LABELS)).all()


@pytest.mark.parametrize("axes", [(), (0,), (0, 1)])
def test_an_opinion_is_the_mean_of_the_flips_and_their_disagreement(axes: tuple[int, ...]) -> None:
    network = nn.Conv2d(1, CLASSES, 3, padding=1).requires_grad_(False)
    windows = logits(2, 1, 6, 5)
    opinion = mirrored_opinion(network, windows, axes, temperature=2, labels=LABELS)
    torch.testing.assert_close(opinion[:, :CLASSES], mirrored_mean(network, windows, axes))
    flips = torch.stack([torch.softmax(each / 2, 1) for each in mirrored_logits(network, windows, axes)])
    assert len(flips) == 2 ** len(axes)
    expected = entropy_of(flips.mean(0), LABELS, dim=1) - entropy_of(flips, LABELS, dim=2).mean(0)
    torch.testing.assert_close(opinion[:, CLASSES], expected, atol=1e-6, rtol=1e-5)


def test_members_and_their_copies_together_are_the_information_of_all_opinions() -> None:
    """The chain rule, where each member's mean probabilities are what its logits say."""
    opinions = torch.softmax(logits(2, 2, CLASSES, 1, 1, 4), 2)  # member, copy, class, ...
    of_member = opinions.mean(1)
    own = entropy_of(of_member, LABELS, dim=1) - entropy_of(opinions, LABELS, dim=2).mean(1)
    members = [torch.cat([mean.log(), inner[None]]) for mean, inner in zip(of_member, own, strict=True)]
    everything = entropy_of(opinions.mean((0, 1)), LABELS, dim=0) - entropy_of(opinions, LABELS, dim=2).mean((0, 1))
    combined = combine(members, [0.5, 0.5], [1, 1], LABELS)
    torch.testing.assert_close(combined[CLASSES], everything, atol=1e-6, rtol=1e-5)


def test_of_regions_too_the_mean_is_that_of_the_probabilities_and_its_scores_are_log_odds() -> None:
    members = [logits(3, 2, 2, 2, seed=seed, scale=8) for seed in (1, 2)]
    expected = 0.25 * torch.sigmoid(members[0] / 2) + 0.75 * torch.sigmoid(members[1] / 0.5)
    combined = combine(members, [0.25, 0.75], [2, 0.5], REGIONS)
    torch.testing.assert_close(combined.sigmoid(), expected)
    twins = combine([members[0]] * 2, [0.5, 0.5], [1, 1], REGIONS)
    torch.testing.assert_close(twins, members[0], rtol=1e-4, atol=1e-4)
    assert torch.isfinite(combine([members[0] * 1e4] * 2, [0.5, 0.5], [1, 1], REGIONS)).all()


@pytest.mark.parametrize("axes", [(), (0,), (0, 1)])
def test_of_regions_the_disagreement_is_the_sum_of_each_ones_own(axes: tuple[int, ...]) -> None:
    """A region alone is a choice between two labels, whose logits are 0 and its own."""
    network = nn.Conv2d(1, 3, 3, padding=1).requires_grad_(False)
    windows = logits(2, 1, 6, 5)
    two = LabelSet(names=("background", "region"))

    def alone(output: int) -> nn.Module:
        part = nn.Conv2d(1, 2, 3, padding=1).requires_grad_(False)
        part.weight.zero_(), part.bias.zero_()
        part.weight[1], part.bias[1] = network.weight[output], network.bias[output]
        return part

    together = mirrored_opinion(network, windows, axes, temperature=2, labels=REGIONS)
    apart = [mirrored_opinion(alone(output), windows, axes, temperature=2, labels=two) for output in range(3)]
    torch.testing.assert_close(together[:, :3], torch.stack([each[:, 1] for each in apart], dim=1))
    torch.testing.assert_close(together[:, 3], sum(each[:, 2] for each in apart), atol=1e-6, rtol=1e-4)
    members = [mirrored_opinion(network, windows + shift, axes, temperature=2, labels=REGIONS)[0] for shift in (0, 1)]
    combined = combine(members, [0.5, 0.5], [2, 2], REGIONS)
    parts = [
        combine([torch.stack([0 * each[0], each[output], 0 * each[0]]) for each in members], [0.5, 0.5], [2, 2], two)[2]
        for output in range(3)
    ]
    own = (members[0][3] + members[1][3]) / 2
    torch.testing.assert_close(combined[3], sum(parts) + own, atol=1e-6, rtol=1e-4)
