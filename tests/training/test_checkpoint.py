from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uumamba.core.errors import InputError
from uumamba.core.random_state import RandomState
from uumamba.training.checkpoint import read_checkpoint, write_checkpoint


def test_any_nested_state_comes_back(tmp_path: Path) -> None:
    weight = torch.randn(3, 4)
    state = {"epoch": 3, "best": None, "list": [1, (2.5, "x")], "tensors": {0: weight, "view": weight.t()}, "empty": {}}
    write_checkpoint(tmp_path / "a.safetensors", state)
    back = read_checkpoint(tmp_path / "a.safetensors")
    assert torch.equal(back["tensors"].pop(0), weight)
    assert torch.equal(back["tensors"].pop("view"), weight.t())
    assert back == {"epoch": 3, "best": None, "list": [1, (2.5, "x")], "tensors": {}, "empty": {}}


def test_an_optimizer_goes_on_bitwise(tmp_path: Path) -> None:
    def step(weight: torch.nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        weight.grad = weight.detach() ** 2
        optimizer.step()

    weight = torch.nn.Parameter(torch.randn(5))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, nesterov=True)
    step(weight, optimizer)
    write_checkpoint(tmp_path / "a.safetensors", {"weight": weight, "optimizer": optimizer.state_dict()})
    state = read_checkpoint(tmp_path / "a.safetensors")
    copy = torch.nn.Parameter(state["weight"])
    resumed = torch.optim.SGD([copy], lr=0.5, momentum=0.9, nesterov=True)
    resumed.load_state_dict(state["optimizer"])
    step(weight, optimizer)
    step(copy, resumed)
    assert torch.equal(weight, copy)


def test_random_states_come_back(tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    write_checkpoint(tmp_path / "a.safetensors", asdict(RandomState.capture(cpu)))
    first = torch.rand(3)
    RandomState(**read_checkpoint(tmp_path / "a.safetensors")).restore(cpu)
    assert torch.equal(torch.rand(3), first)


def test_foreign_and_broken_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path / "text.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        read_checkpoint(tmp_path / "foreign.safetensors")
