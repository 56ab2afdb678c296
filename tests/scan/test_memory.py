"""What a scan on a CPU never holds: all states at once."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.scan.drawn import draw, moved, results, worst_error


class _LargestTensor(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operation gave."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = result if isinstance(result, tuple | list) else [result]
        self.elements = max([self.elements, *(t.numel() for t in given if isinstance(t, Tensor))])
        return result


@pytest.mark.parametrize("backend", ["cpu", "chunked"])
def test_never_holds_all_states(backend: str) -> None:
    """Forwards and backwards, no tensor comes near the (batch, channels, length, state) one."""
    shape = (1, 32, 16, 8_000, 0)
    arguments = moved(draw(shape), torch.device("cpu"), torch.float32)
    with _LargestTensor() as seen:
        results(arguments, backend)
    assert 0 < seen.elements < math.prod(shape[:4]) / 4


def test_several_blocks_in_a_chunk() -> None:
    """A sequence so long that a chunk's states are recomputed in several blocks."""
    arguments = draw((2, 16, 16, 1501, 0))
    assert worst_error(results(arguments, "chunked"), results(arguments, "reference")) <= 1e-11
