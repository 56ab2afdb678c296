"""The float16 loss scale."""

from uumamba.optim.loss_scale import LossScale


def test_halves_at_once_and_doubles_with_patience() -> None:
    """A bad step also starts the patience anew."""
    scale = LossScale(value=8.0, patience=3)
    history = []
    for finite in (True, True, False, True, True, True, True):
        scale.update(finite=finite)
        history.append(scale.value)
    assert history == [8, 8, 4, 4, 4, 8, 8]
    assert scale.good_steps == 1
