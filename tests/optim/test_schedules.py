"""Learning rates over a run."""

from itertools import pairwise

import pytest
import torch

from uumamba.core.errors import InputError
from uumamba.optim.schedules import poly_learning_rate, set_learning_rate


def test_poly() -> None:
    """Starts at the initial rate, ends at 0, falls all the way; the half is known."""
    rates = [poly_learning_rate(1e-2, epoch / 250) for epoch in range(251)]
    assert rates[0] == 1e-2
    assert rates[-1] == 0
    assert all(later < earlier for earlier, later in pairwise(rates))
    assert poly_learning_rate(1.0, 0.5) == pytest.approx(0.5**0.9)
    assert poly_learning_rate(1.0, 0.5, exponent=2) == 0.25


@pytest.mark.parametrize("progress", [-0.1, 1.01, float("nan")])
def test_progress_out_of_range(progress: float) -> None:
    """A schedule that runs over its end is a mistake in the loop."""
    with pytest.raises(InputError, match=r"progress must lie in \[0, 1\], got .*epochs done / all epochs"):
        poly_learning_rate(1e-2, progress)


def test_all_groups_get_the_rate() -> None:
    """The loss's weights follow the same schedule."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(3)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25] * 3
