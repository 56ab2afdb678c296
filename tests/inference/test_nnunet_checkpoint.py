"""A checkpoint is read, whatever wrote it, and never executed."""

import os
import pickle
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.fakes.nnunet_folder import checkpoint_of, flat_plans, small_network
from uumamba.core.errors import InputError
from uumamba.core.files import hash_file
from uumamba.inference.nnunet_checkpoint import read_nnunet_checkpoint
from uumamba.models.umamba import UMambaSettings


class Malicious:
    """Unpickled, it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def checkpoint(**changes: Any) -> dict[str, Any]:
    """A checkpoint of a small network."""
    return checkpoint_of(small_network(UMambaSettings(mamba="none"), 2), 2, **changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint_final.pth"


def test_what_nnunet_writes_is_read(path: Path) -> None:
    torch.save(checkpoint(), path)
    read = read_nnunet_checkpoint(path)
    assert read.weights.keys() == checkpoint()["network_weights"].keys()
    assert (read.configuration, read.trainer, read.epoch) == ("2d", "nnUNetTrainerUMambaEnc", 2)
    assert read.plans == flat_plans(2)
    assert read.mirrored == (0, 1)
    assert read.sha256 == hash_file(path)


def test_every_kind_of_number_is_read(path: Path) -> None:
    kinds = (
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
    )
    plans = {"numbers": [np.dtype(kind).type(1) for kind in kinds], "tuple": (np.float32(0.5),)}
    torch.save(checkpoint(init_args={"configuration": "2d", "plans": plans}), path)
    found = read_nnunet_checkpoint(path).plans
    assert found == {"numbers": [True, *[1] * 8, *[1.0] * 3], "tuple": [0.5]}
    assert all(type(number) in (bool, int, float) for number in found["numbers"])


def test_numbers_of_numpy_1_are_read(path: Path, tmp_path: Path) -> None:
    """numpy 1 pickled its numbers under another module's name."""
    torch.save(checkpoint(), tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(path, "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            old.writestr(name.replace("new/", "checkpoint_final/"), content)
    assert read_nnunet_checkpoint(path).epoch == 2


def test_little_is_needed(path: Path) -> None:
    torch.save({"network_weights": {}, "init_args": {"configuration": "2d"}}, path)
    read = read_nnunet_checkpoint(path)
    assert (read.plans, read.dataset, read.epoch, read.mirrored) == (None, None, None, ())


@pytest.mark.parametrize("key", ["logging", "network_weights"])
def test_a_malicious_pickle_is_refused_and_not_executed(path: Path, key: str, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    torch.save(checkpoint(**{key: Malicious(mark)}), path)
    with pytest.raises(InputError, match=r"refused, since its pickle wants posix\.system, and a checkpoint"):
        read_nnunet_checkpoint(path)
    assert not mark.exists()


def test_a_plain_pickle_is_refused_and_not_executed(path: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path.write_bytes(pickle.dumps(Malicious(mark), protocol=2))
    with pytest.raises(InputError):
        read_nnunet_checkpoint(path)
    assert not mark.exists()


def test_a_harmless_class_that_is_on_no_list_is_refused_by_name(path: Path) -> None:
    torch.save(checkpoint(logging={"ratio": Fraction(1, 3)}), path)
    with pytest.raises(InputError, match=r"checkpoint_final\.pth: refused, .* wants fractions\.Fraction, "):
        read_nnunet_checkpoint(path)


def test_a_number_that_stands_for_an_object_is_refused(path: Path) -> None:
    torch.save(checkpoint(logging=np.dtype(object)), path)
    with pytest.raises(InputError, match=r"refused, since its pickle wants numpy\.dtypes\.ObjectDType, "):
        read_nnunet_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut", b"\x80\x02."], ids=str)
def test_files_that_are_no_checkpoint(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint_final\.pth: not a .*; copy it again"):
        read_nnunet_checkpoint(path)


def test_a_cut_checkpoint(path: Path) -> None:
    torch.save(checkpoint(), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"not a readable checkpoint \((RuntimeError|OSError): .*; copy it again"):
        read_nnunet_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [torch.zeros(2), {"state_dict": {}}, {"network_weights": {}}, {"network_weights": [], "init_args": {}}],
    ids=["tensor", "other keys", "no arguments", "no names"],
)
def test_other_checkpoints(path: Path, content: Any) -> None:
    torch.save(content, path)
    with pytest.raises(InputError, match="no network_weights and init_args in it; give a checkpoint that nnU-Net 2"):
        read_nnunet_checkpoint(path)


def test_weights_that_are_no_tensors(path: Path) -> None:
    torch.save(checkpoint(network_weights={"encoder": 3}), path)
    with pytest.raises(InputError, match="network_weights must be tensors by name"):
        read_nnunet_checkpoint(path)


@pytest.mark.parametrize("axes", ["01", 1, ["x"]])
def test_mirrored_axes_that_are_none(path: Path, axes: object) -> None:
    torch.save(checkpoint(inference_allowed_mirroring_axes=axes), path)
    with pytest.raises(InputError, match=r"inference_allowed_mirroring_axes must be numbers of axes, got .*; give a"):
        read_nnunet_checkpoint(path)


SELF_CONTAINING: list[Any] = []
SELF_CONTAINING.append(SELF_CONTAINING)


@pytest.mark.parametrize(
    "plans", [{("a", "b"): 1}, SELF_CONTAINING, {"self": SELF_CONTAINING}], ids=["key", "list", "deep list"]
)
def test_arguments_that_json_cannot_hold(path: Path, plans: Any) -> None:
    torch.save(checkpoint(init_args={"configuration": "2d", "plans": plans}), path)
    message = (
        r"checkpoint_final\.pth: init_args must be what JSON can hold, got other content \(.*\); give a checkpoint"
    )
    with pytest.raises(InputError, match=message):
        read_nnunet_checkpoint(path)


@pytest.mark.parametrize("key", ["current_epoch", "inference_allowed_mirroring_axes"])
def test_other_values_that_json_cannot_hold(path: Path, key: str) -> None:
    torch.save(checkpoint(**{key: SELF_CONTAINING}), path)
    with pytest.raises(InputError, match=f"{key} must be what JSON can hold"):
        read_nnunet_checkpoint(path)


def test_arguments_that_are_nested_too_deeply(path: Path, tmp_path: Path) -> None:
    torch.save(checkpoint(init_args={"configuration": "2d", "plans": "DEEP"}), tmp_path / "new.pth")
    depth, mark = 100_000, b"X\x04\x00\x00\x00DEEP"
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(path, "w") as deep:
        for name in new.namelist():
            content = new.read(name)
            if name.endswith("data.pkl"):
                assert content.count(mark) == 1
                content = content.replace(mark, b"]" * depth + b"a" * (depth - 1))
            deep.writestr(name.replace("new/", "checkpoint_final/"), content)
    with pytest.raises(InputError, match="init_args must be what JSON can hold"):
        read_nnunet_checkpoint(path)
