"""What scores say, against nnU-Net and against the slow way."""

import math

import numpy as np
import pytest
import torch
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from uumamba.core.labels import LabelSet
from uumamba.data.nnunet_dataset import nnunet_labels
from uumamba.inference.scores import entropy_of, highest_entropy, label_map_of, probabilities_of

PLAIN = LabelSet(names=("background", "a", "b"))
REGIONS = LabelSet(names=("background", "all", "some", "one"), regions=((1, 2, 3), (1, 3), (3,)), written=(2, 1, 3))
APART = LabelSet(names=("background", "both", "other"), regions=((1, 2), (3,)), written=(2, 3))
BOTH = pytest.mark.parametrize("labels", [PLAIN, REGIONS, APART], ids=["labels", "regions", "regions apart"])


def scores(labels: LabelSet) -> torch.Tensor:
    """Random scores (outputs, 7, 8, 5)."""
    return 2 * torch.randn(labels.outputs, 7, 8, 5, generator=torch.Generator().manual_seed(0))


@BOTH
def test_label_map_and_probabilities_are_nnunets(labels: LabelSet) -> None:
    found = nnunet_labels(labels)
    manager = LabelManager(found["labels"], found.get("regions_class_order"))
    theirs = manager.convert_logits_to_segmentation(scores(labels))
    ours = label_map_of(scores(labels), labels, dim=0)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert len(np.unique(ours)) == len({0, *labels.written}) if labels.regions else 3
    expected = manager.apply_inference_nonlin(scores(labels))
    torch.testing.assert_close(probabilities_of(scores(labels), labels, dim=0), expected)
    assert manager.num_segmentation_heads == labels.outputs
    assert manager.all_labels == list(range(labels.classes))


@BOTH
def test_a_batch_is_its_elements_and_no_temperature_changes_the_label_map(labels: LabelSet) -> None:
    alone = label_map_of(scores(labels), labels, dim=0)
    batch = torch.stack([scores(labels).flip(1), scores(labels)])
    assert torch.equal(label_map_of(batch, labels, dim=1)[1], alone)
    assert torch.equal(label_map_of(scores(labels) / 7, labels, dim=0), alone)
    assert torch.equal(label_map_of(scores(labels).flatten(1).T, labels, dim=1), alone.flatten())


@BOTH
def test_entropy_of_certainty_and_of_ignorance(labels: LabelSet) -> None:
    certain = torch.zeros(labels.outputs)
    certain[0] = 1
    ignorant = probabilities_of(torch.zeros(labels.outputs), labels, dim=0)
    assert entropy_of(certain, labels, dim=0).item() == 0
    assert entropy_of(ignorant, labels, dim=0).item() == pytest.approx(highest_entropy(labels), rel=1e-6)
    assert highest_entropy(labels) == pytest.approx(
        math.log(3) if labels.regions is None else len(labels.written) * math.log(2)
    )
