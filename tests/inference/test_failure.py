"""What an error is called, by its type and by where it came up."""

import pytest
import torch

from uumamba.core.errors import ChannelError, GeometryError, InputError, IntensityError, TooLargeError, UumambaError
from uumamba.inference.failure import CODES, Caught, Stage, failure_of


@pytest.mark.parametrize(
    ("error", "stage", "code", "reason"),
    [
        (FileNotFoundError(2, "No such file", "a.nii"), "reading", "missing", "a.nii: no such file"),
        (InputError("a.nii: cut"), "reading", "unreadable", "a.nii: cut"),
        (PermissionError(13, "Permission denied", "a.nii"), "reading", "unreadable", "a.nii: Permission denied"),
        (GeometryError("sheared"), "reading", "geometry", "sheared"),
        (GeometryError("other grids"), "predicting", "geometry", "other grids"),
        (IntensityError("NaN"), "reading", "intensities", "NaN"),
        (ChannelError("two"), "predicting", "wrong_channels", "two"),
        (TooLargeError("3 GB more"), "predicting", "too_large", "3 GB more"),
        (
            MemoryError("8 GB"),
            "predicting",
            "out_of_memory",
            "out of memory (8 GB); use --device cpu, or a machine or ",
        ),
        (torch.OutOfMemoryError("CUDA\nTried"), "predicting", "out_of_memory", "out of memory (CUDA Tried)"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "writing", "out_of_memory", "out of memory (Def"),
        (UumambaError("not finite"), "predicting", "not_predicted", "not finite"),
        (OSError(28, "No space left on device", "o.nii.gz"), "writing", "write_failed", "o.nii.gz: No space left on"),
        (OSError("odd"), "writing", "write_failed", "system: odd"),
        (OSError(5, "Input/output error"), "predicting", "unexpected", "OSError: [Errno 5]"),
        (ValueError("two\nlines"), "reading", "unexpected", "ValueError: two lines"),
        (AssertionError(), "predicting", "unexpected", "AssertionError: "),
    ],
)
def test_codes(error: Exception, stage: Stage, code: str, reason: str) -> None:
    failure = failure_of(error, stage)
    assert failure.code == code
    assert failure.reason.startswith(reason)
    assert code in CODES


def test_errors_are_caught_and_what_stops_the_program_is_not() -> None:
    with Caught() as caught:
        raise TypeError("x")
    assert isinstance(caught.error, TypeError)
    with Caught() as caught:
        pass
    assert caught.error is None
    with pytest.raises(KeyboardInterrupt), Caught():
        raise KeyboardInterrupt
