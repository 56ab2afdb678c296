"""Slices of a case in the middle of a training, against the whole case."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.plan import fake_network, fake_plan
from tests.fakes.store import fake_store
from uumamba.core.random_state import RandomState
from uumamba.inference.sliding_window import predict_logits
from uumamba.training.snapshot import predict_slices

CPU = torch.device("cpu")
SLICES = (1, 4, 6)


@pytest.mark.parametrize("patch_size", [(32, 32), (8, 32, 32)])
def test_the_slices_are_those_of_the_whole_case_and_the_others_empty(
    patch_size: tuple[int, ...], tmp_path: Path
) -> None:
    plan = fake_plan(patch_size)
    network = fake_network(plan)
    data, _ = fake_store(tmp_path, cases=1).read_case("case0")
    predicted = predict_slices(network, data, SLICES, plan, CPU)
    logits = predict_logits(network, torch.from_numpy(data), patch_size=patch_size, batch_size=2)
    expected = np.zeros_like(predicted)
    expected[list(SLICES)] = logits.argmax(0).numpy()[list(SLICES)]
    assert predicted.shape == data.shape[1:]
    assert np.mean(predicted == expected) > 0.999  # batches of other slices may round another way
    assert predicted[list(SLICES)].any()
    assert not np.delete(predicted, SLICES, axis=0).any()


def test_the_training_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    plan = fake_plan((32, 32))
    network = fake_network(plan).train()
    data, _ = fake_store(tmp_path, cases=1).read_case("case0")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = RandomState.capture(CPU)
    predict_slices(network, data, SLICES, plan, CPU)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(RandomState.capture(CPU).cpu, random.cpu)
