"""The distribution term against torch's cross-entropy."""

import pytest
import torch
from torch.nn import functional

from uumamba.losses.cross_entropy import distribution
from uumamba.losses.level import compare


@pytest.mark.parametrize("size", [(7, 6), (3, 4, 5)])
@pytest.mark.parametrize("ignore", [None, 3])
def test_equals_torch(size: tuple[int, ...], ignore: int | None) -> None:
    """With and without an ignore label."""
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, *size, generator=random)
    target = torch.randint(0, 3 if ignore is None else 4, (2, 1, *size), generator=random)
    expected = functional.cross_entropy(logits, target[:, 0], ignore_index=-100 if ignore is None else ignore)
    torch.testing.assert_close(distribution(compare(logits, target, ignore=ignore)), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_any_integer_target(dtype: torch.dtype) -> None:
    """Label maps come in the type they are stored in."""
    logits = torch.randn(1, 3, 4, 4)
    target = torch.randint(0, 4, (1, 1, 4, 4))
    narrow = distribution(compare(logits, target.to(dtype), ignore=3))
    assert torch.equal(narrow, distribution(compare(logits, target, ignore=3)))
