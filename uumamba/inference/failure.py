"""Why a case failed, as a code for programs and a sentence for people."""

from dataclasses import dataclass
from types import TracebackType
from typing import Literal

import torch

from uumamba.core.errors import ChannelError, GeometryError, IntensityError, TooLargeError, UumambaError

Stage = Literal["reading", "predicting", "writing"]

CODES = {
    "missing": "the image is not there",
    "unreadable": "the file is no whole image of a kind that is read",
    "geometry": "axes, spacing, orientation or the channels' grids cannot be used",
    "intensities": "voxels are not finite, or too extreme to be normalised",
    "wrong_channels": "the case has more or fewer images than the model takes",
    "too_large": "the case would need more memory than it may have",
    "out_of_memory": "memory ended while it was read, predicted or written",
    "not_predicted": "the network gave nothing that can be used",
    "write_failed": "the result could not be written",
    "unexpected": "an error that this program does not know; --verbose logs where",
}
"""Every code of a failed case, and what it means."""

_KINDS: tuple[tuple[type[UumambaError], str], ...] = (
    (GeometryError, "geometry"),
    (IntensityError, "intensities"),
    (ChannelError, "wrong_channels"),
    (TooLargeError, "too_large"),
)
_STAGES: dict[Stage, str] = {"reading": "unreadable", "predicting": "not_predicted", "writing": "write_failed"}


@dataclass(frozen=True)
class Failure:
    """A code of `CODES`, and a sentence of one line."""

    code: str
    reason: str


class Caught:
    """Ends its block at an error and keeps it as `error`: one step of one case, which shall not end the others.

    What stops the program (KeyboardInterrupt, SystemExit) goes on.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> "Caught":
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


def failure_of(error: Exception, stage: Stage) -> Failure:
    """The failure of a case that `error` ended at `stage`, told by the error's type."""
    text = " ".join(str(error).split())
    if _is_out_of_memory(error):
        return Failure(
            "out_of_memory", f"out of memory ({text}); use --device cpu, or a machine or job with more memory"
        )
    if stage == "reading" and isinstance(error, FileNotFoundError):
        return Failure("missing", f"{error.filename}: no such file")
    for kind, code in _KINDS:
        if isinstance(error, kind):
            return Failure(code, text)
    if isinstance(error, UumambaError):
        return Failure(_STAGES[stage], text)
    if isinstance(error, OSError) and stage != "predicting":
        return Failure(_STAGES[stage], f"{error.filename or 'system'}: {error.strerror or text}")
    return Failure("unexpected", f"{type(error).__name__}: {text}")


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ended; on the CPU torch has no type for it, only words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)
