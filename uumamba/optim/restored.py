"""Tensors that come back as they were, whatever is done with them in between."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


def copy_all(sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    """Copy values in place; storage is never rebound, so views stay views."""
    if targets:
        torch._foreach_copy_(list(targets), list(sources))


@contextmanager
def restored(tensors: Sequence[Tensor]) -> Iterator[None]:
    """After the block `tensors` are bitwise what they were before it, also if it raises; storage is never rebound."""
    before = [tensor.clone() for tensor in tensors]
    try:
        yield
    finally:
        copy_all(before, tensors)
