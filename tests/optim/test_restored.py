import pytest
import torch

from uumamba.optim.restored import copy_all, restored


def test_tensors_return_bitwise_whatever_happens() -> None:
    tensors = [torch.randn(3, 4), torch.arange(3)]
    before, storage = [tensor.clone() for tensor in tensors], [tensor.data_ptr() for tensor in tensors]
    with pytest.raises(KeyError), restored(tensors):
        spoil(tensors)
    assert all(torch.equal(old, new) for old, new in zip(before, tensors, strict=True))
    assert [tensor.data_ptr() for tensor in tensors] == storage


def spoil(tensors: list[torch.Tensor]) -> None:
    for tensor in tensors:
        tensor.add_(2)
    raise KeyError


def test_copies_go_into_views() -> None:
    whole = torch.zeros(2, 2)
    copy_all([torch.ones(2)], [whole[0]])
    assert whole.tolist() == [[1, 1], [0, 0]]
    copy_all([], [])
