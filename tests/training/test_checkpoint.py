import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uumamba.core.errors import InputError, UumambaError
from uumamba.core.random_state import RandomState
from uumamba.training import checkpoint
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


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import torch
from uumamba.core.errors import UumambaError
from uumamba.training.checkpoint import write_checkpoint

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
write_checkpoint(path, {"epoch": 1, "weight": torch.ones(100)})
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_checkpoint(path, {"epoch": 2, "weight": torch.ones(100_000)})
except UumambaError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    """A file that may not grow stands for a disk that is full."""
    path = tmp_path / "last.safetensors"
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True, env=os.environ
    )
    assert f"{path}: the checkpoint could not be written" in result.stdout
    assert "the one before is kept; make room on the disk and go on with --resume" in result.stdout
    assert read_checkpoint(path)["epoch"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_reads_back_differently_does_not_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, {"weight": torch.ones(4)})

    def spoil(tensors: dict[str, torch.Tensor], file: Path, metadata: dict[str, str]) -> None:
        save_file({name: tensor + 1 for name, tensor in tensors.items()}, file, metadata=metadata)

    monkeypatch.setattr(checkpoint, "save_file", spoil)
    with pytest.raises(UumambaError, match=r"reads back differently.*the one before is kept"):
        write_checkpoint(path, {"weight": torch.zeros(4)})
    assert torch.equal(read_checkpoint(path)["weight"], torch.ones(4))


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from uumamba.training.checkpoint import write_checkpoint

number = 0
while True:
    number += 1
    write_checkpoint(Path(sys.argv[1]), {"number": number, "weight": torch.full((300_000,), float(number))})
    print(number, flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """At ten moments; whatever was announced as written is there, and all of one piece."""
    path = tmp_path / "last.safetensors"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for moment in range(10):
        announced = int(process.stdout.readline())
        time.sleep(0.003 * moment)
        process.kill()
        process.wait()
        process.stdout.close()
        state = read_checkpoint(path)
        assert state["number"] >= announced
        assert bool((state["weight"] == state["number"]).all())
        if moment < 9:
            process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
