"""Checkpoints: any nested state as one safetensors file, without pickles."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from uumamba.core.errors import InputError, UumambaError
from uumamba.core.files import atomic

_TENSOR = "tensor"
_FORMAT = "uumamba-checkpoint-1"


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a tree of dicts, lists, tuples, tensors, numbers, strings and None atomically.

    The tensors are stored under their path in the tree, the rest as JSON in the header. Keys: strings or integers.
    What was written is read again and compared before it takes the place of what was there; raises `UumambaError`, and
    leaves the old file, if the disk is full or gives back something else.
    """
    tensors: dict[str, torch.Tensor] = {}
    skeleton = json.dumps(_take_apart(state, "", tensors))
    with atomic(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"format": _FORMAT, "skeleton": skeleton})
            _verify(temporary, tensors, skeleton)
        except (SafetensorError, OSError) as error:
            kept = ", the one before is kept" if path.exists() else ""
            raise UumambaError(
                f"{path}: the checkpoint could not be written ({error}){kept}; make room on the disk and go on with "
                "--resume"
            ) from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `write_checkpoint` wrote, tensors on the CPU; a broken or foreign file is an `InputError`."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({error})") from None
    if metadata.get("format") != _FORMAT:
        raise InputError(
            f"{path}: not a checkpoint of this program (format {metadata.get('format')!r}, not {_FORMAT!r})"
        )
    state = _put_together(json.loads(metadata["skeleton"]), tensors)
    return dict(state)


def _verify(path: Path, tensors: dict[str, torch.Tensor], skeleton: str) -> None:
    """Read a file back and compare bytes, tensor by tensor; anything else is an `OSError`."""
    with safe_open(path, framework="pt", device="cpu") as file:
        if file.metadata().get("skeleton") != skeleton:
            raise OSError("the header reads back differently")
        for name, tensor in tensors.items():
            # as bytes, in which NaN equals itself
            if not torch.equal(_bytes(file.get_tensor(name)), _bytes(tensor)):
                raise OSError(f"{name} reads back differently")


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def _take_apart(value: Any, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {_TENSOR: name}
    if isinstance(value, dict):
        return {"dict": [[key, _take_apart(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        items = [_take_apart(item, f"{name}/{index}", tensors) for index, item in enumerate(value)]
        return {type(value).__name__: items}
    return value


def _put_together(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == _TENSOR:
        return tensors[content]
    if kind == "dict":
        return {key: _put_together(item, tensors) for key, item in content}
    items = [_put_together(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
