"""nnU-Net's checkpoints: pickles, read without executing anything that is not on a list.

Only `uumamba import` reads them; everything else in this program is safetensors and JSON.
"""

import json
import pickle
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.files import hash_file

_NUMBERS = (np.bool, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
_FRACTIONS = (np.float16, np.float32, np.float64)
_MAKE_NUMBER: Any = np.float64().__reduce__()[0]
ALLOWED: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    np.dtype,
    *(type(np.dtype(number)) for number in (*_NUMBERS, *_FRACTIONS)),
    (_MAKE_NUMBER, "numpy.core.multiarray.scalar"),
    (_MAKE_NUMBER, "numpy._core.multiarray.scalar"),
]
"""All that a checkpoint may call beside torch's own list: what makes numpy's numbers, by its names in numpy 1 and 2."""

_BROKEN = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, EOFError, OSError, struct.error)
_MIRRORED = "inference_allowed_mirroring_axes"
_WRAPPERS = ("_orig_mod.", "module.")


@dataclass(frozen=True)
class NnunetCheckpoint:
    """What a checkpoint says.

    `weights` are on the CPU, without the prefixes of `torch.compile` and of distributed training. `plans` and `dataset`
    are its own copies of plans.json and dataset.json. `mirrored` are indices into the patch; `epoch` counts finished
    epochs. `sha256` is that of the file.
    """

    path: Path
    weights: Mapping[str, Tensor]
    configuration: str
    trainer: str
    plans: Mapping[str, Any] | None
    dataset: Mapping[str, Any] | None
    mirrored: tuple[int, ...]
    epoch: int | None
    sha256: str


def read_nnunet_checkpoint(path: Path) -> NnunetCheckpoint:
    """Read a checkpoint of nnU-Net 2.

    Raises `InputError` if the pickle wants a function or class that is neither on torch's list nor in `ALLOWED`, with
    its name and without calling it, if the file is broken, or if it is another kind of checkpoint.
    """
    content = _load(path)
    arguments = content.get("init_args") if isinstance(content, dict) else None
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(arguments, dict) or not isinstance(weights, dict):
        raise InputError(f"{path}: no network_weights and init_args in it; give a checkpoint that nnU-Net 2 wrote")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items()):
        raise InputError(f"{path}: network_weights must be tensors by name; give a checkpoint that nnU-Net 2 wrote")
    arguments, epoch = _plain(arguments, path, "init_args"), _plain(content.get("current_epoch"), path, "current_epoch")
    mirrored = _plain(content.get(_MIRRORED), path, _MIRRORED) or []
    if not isinstance(mirrored, list) or not all(type(axis) is int for axis in mirrored):
        raise InputError(
            f"{path}: {_MIRRORED} must be numbers of axes, got {mirrored!r}; give a checkpoint that nnU-Net 2 wrote"
        )
    return NnunetCheckpoint(
        path=path,
        weights={_unwrapped(name): tensor for name, tensor in weights.items()},
        configuration=str(arguments.get("configuration")),
        trainer=str(content.get("trainer_name")),
        plans=_object(arguments.get("plans")),
        dataset=_object(arguments.get("dataset_json")),
        mirrored=tuple(mirrored),
        epoch=epoch if isinstance(epoch, int) else None,
        sha256=hash_file(path),
    )


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"(?:GLOBAL |got <class ')([\w.]+)", str(error))
        if wanted is None:
            raise InputError(f"{path}: not a checkpoint that can be read safely; copy it again") from None
        raise InputError(
            f"{path}: refused, since its pickle wants {wanted[1]}, and a checkpoint needs only tensors and "
            "numbers; ask its authors for one without, and do not load it with other programs"
        ) from None
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not a readable checkpoint ({type(error).__name__}: {reason}); copy it again"
        ) from None


def _unwrapped(name: str) -> str:
    """A parameter's name without the prefixes of wrapped networks, in whatever order they are."""
    while name.startswith(_WRAPPERS):
        for prefix in _WRAPPERS:
            name = name.removeprefix(prefix)
    return name


def _plain(value: Any, path: Path, key: str) -> Any:
    """`value` with what JSON would make of it: numbers, strings, lists, objects; anything else as its text."""
    try:
        return json.loads(
            json.dumps(value, default=lambda other: other.item() if isinstance(other, np.generic) else str(other))
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: {key} must be what JSON can hold, got other content ({error}); give a checkpoint that nnU-Net 2 "
            "wrote"
        ) from None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
