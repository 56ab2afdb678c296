"""The Triton backend beside its numbers: where it runs, its memory offsets, and real cards."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.scan.drawn import draw, moved, results, where_it_runs, worst_error
from uumamba.core.errors import UumambaError
from uumamba.scan import selective_scan

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_every_run_gives_the_same_bits() -> None:
    """Sums over channels are in a fixed order: no atomic additions."""
    arguments = moved(draw((1, 20, 4, 30, 0)), *where_it_runs("triton"))
    first, second = results(arguments, "triton"), results(arguments, "triton")
    assert all(torch.equal(first[name], second[name]) for name in first)


class _TooLarge:
    """A kernel that does not start."""

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*_: object, **__: object) -> None:
            from triton.errors import TritonError

            raise TritonError("out of resource:\n  shared memory")

        return launch


def test_what_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's own errors are no `RuntimeError` and run over several lines."""
    arguments = moved(draw((1, 2, 2, 6, 0)), *where_it_runs("triton"))
    from uumamba.scan import triton_scan

    monkeypatch.setattr(triton_scan, "forward_kernel", _TooLarge())
    message = (
        r"backend 'triton' does not compile or start here \(out of resource: shared memory\); use backend 'chunked'"
    )
    with pytest.raises(UumambaError, match=message):
        selective_scan(**arguments, backend="triton")


def far_apart(tensor: Tensor, room: Tensor) -> Tensor:
    """The same sequence (1, 2, l), its elements more than 2^31 from its first in a large room."""
    spread = room.as_strided(tensor.shape, (0, 1, (2**31 + 2**20) // (tensor.shape[-1] - 1)))
    return spread.copy_(tensor)


def test_offsets_have_64_bits() -> None:
    """An element 2^31 elements after the first is read where it is; memory that is not touched costs nothing."""
    device, dtype = where_it_runs("triton")
    arguments = {name: tensor.detach() for name, tensor in moved(draw((1, 2, 2, 6, 0)), device, dtype).items()}
    room = torch.empty(2**31 + 2**21, dtype=torch.bfloat16, device=device)
    near = {**arguments, "u": arguments["u"].bfloat16()}
    far = {**near, "u": far_apart(near["u"], room)}
    assert torch.equal(selective_scan(**far, backend="triton"), selective_scan(**near, backend="triton"))


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("shape", [(2, 64, 16, 143_360, 0), (2, 128, 16, 35_840, 0), (8, 2048, 16, 2048, 0)], ids=str)
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA or ROCm device")
def test_on_a_card(shape: tuple[int, int, int, int, int], channels_last: bool) -> None:
    """At U-Mamba's shapes and a language model's, the numbers are those of the chunked backend in float32."""
    batch, channels, states, length, _ = shape
    torch.manual_seed(0)

    def sequence(width: int) -> Tensor:
        drawn = torch.randn(batch, length, width, device=CUDA).transpose(1, 2)
        return (drawn if channels_last else drawn.contiguous()).requires_grad_()

    arguments = {name: sequence(width) for name, width in (("u", channels), ("delta", channels), ("z", channels))}
    arguments |= {"B": sequence(states), "C": sequence(states)}
    arguments["A"] = (-torch.arange(1.0, states + 1, device=CUDA)).repeat(channels, 1).requires_grad_()
    arguments["delta_bias"] = torch.full((channels,), -4.0, device=CUDA, requires_grad=True)
    arguments["D"] = torch.ones(channels, device=CUDA, requires_grad=True)
    # Sums over a million steps differ by the order of their additions.
    tolerance = 1e-5 * math.sqrt(length * batch / 1000)
    assert worst_error(results(arguments, "triton"), results(arguments, "chunked")) <= tolerance
