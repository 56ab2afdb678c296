"""The Triton filter beside its numbers: where it runs, its blocks, its memory offsets, and real cards."""

from collections.abc import Callable

import pytest
import torch

from tests.filtering.drawn import Case, where_it_runs, worst_error
from uumamba.core.errors import InputError, UumambaError
from uumamba.filtering import triton

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SMALL = Case(1, 2, 1, (4, 4), (3, 3), (2, 2))


@pytest.mark.parametrize(
    "case",
    [
        Case(1, 5, 1, (5, 9), (3, 3), (2, 2), "reflect"),
        Case(1, 2, 1, (3, 3, 7), (3, 1, 3), (2, 2, 2)),
        Case(1, 6, 2, (5, 7, 2), (1, 3, 1), (3, 2, 1)),
    ],
    ids=str,
)
def test_parts_of_blocks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several programs for channels, taps, places and rows, the last of each partly filled."""
    device, dtype = where_it_runs("triton", torch.float32)
    monkeypatch.setattr(triton, "_INTERPRETED_PLACES", 16)
    monkeypatch.setattr(triton, "_ROWS", 2)
    monkeypatch.setattr(triton, "_ITEMS", 4)
    tensors = [tensor.detach().to(device, dtype).requires_grad_() for tensor in case.draw()]
    assert worst_error(case.results(*tensors, "triton"), case.results(*case.draw())) <= 1e-6


def test_every_run_gives_the_same_bits() -> None:
    """Sums are in a fixed order: no atomic additions."""
    tensors = [tensor.detach().to(*where_it_runs("triton")).requires_grad_() for tensor in SMALL.draw()]
    first, second = SMALL.results(*tensors, "triton"), SMALL.results(*tensors, "triton")
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


class _TooLarge:
    """A kernel that does not start."""

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*_: object, **__: object) -> None:
            from triton.errors import TritonError

            raise TritonError("out of resource:\n  shared memory")

        return launch


def test_what_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's own errors are no `RuntimeError` and run over several lines."""
    device, dtype = where_it_runs("triton", torch.float32)
    from uumamba.filtering import triton_kernels

    monkeypatch.setattr(triton_kernels, "filter_kernel", _TooLarge())
    message = r"backend 'triton' does not compile or start here \(out of resource: shared memory\); it is not"
    with pytest.raises(UumambaError, match=message):
        SMALL.filter(*(tensor.detach().to(device, dtype) for tensor in SMALL.draw()), "triton")


def test_channels_that_32_bits_cannot_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes before memory is taken."""
    device, dtype = where_it_runs("triton", torch.float32)
    monkeypatch.setattr(triton, "_LARGEST", 16)
    message = r"channels of fewer than 16 elements, got \(1, 4, 4\) on a map, with border, of \(1, 4, 4\); use smaller"
    with pytest.raises(InputError, match=message):
        SMALL.filter(*(tensor.detach().to(device, dtype) for tensor in SMALL.draw()), "triton")


def test_offsets_between_taps_have_64_bits() -> None:
    """A kernel's last tap, more than 2^31 elements after its first, is read where it is.

    Memory that is not touched costs nothing: one program sees the first places of a large plane.
    """
    where_it_runs("triton", torch.float32)
    if triton.why_not(CPU, torch.float32) is not None:
        pytest.skip("on a card all places would be computed, and the memory taken")
    from uumamba.filtering.triton_kernels import filter_kernel

    high, block = (1, 1, 2**29), (1, 1, 16)
    kernels = torch.empty(5 * 2**29, dtype=torch.bfloat16)
    for tap in range(5):
        kernels[tap * 2**29 : tap * 2**29 + 16] = tap + 1
    x, out = torch.arange(32, dtype=torch.float32), torch.empty(16)
    sizes = (1, (1, 1, 2**29 + 4), high)
    filter_kernel[(1,)](x, kernels, out, sizes, KERNEL_SIZE=(1, 1, 5), SCALE=(1, 1, 1), BLOCK=block)
    expected = sum((tap + 1) * x[tap : tap + 16] for tap in range(5))
    assert torch.equal(out, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA or ROCm device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "case",
    [
        Case(1, 64, 1, (20, 128, 112), (5, 5, 5), (1, 2, 2)),
        Case(1, 64, 1, (20, 128, 112), (1, 5, 5), (1, 1, 1)),
        Case(2, 72, 2, (255, 223), (5, 5), (2, 2)),
    ],
    ids=str,
)
def test_on_a_card(case: Case, dtype: torch.dtype) -> None:
    """At a network's shapes the numbers are those of taps in float64, rounded once."""
    tensors = [tensor.detach().to(CUDA, dtype).requires_grad_() for tensor in case.draw()]
    exact = [tensor.detach().double().requires_grad_() for tensor in tensors]
    tolerance = 1e-5 if dtype == torch.float32 else torch.finfo(dtype).eps
    assert worst_error(case.results(*tensors, "triton"), case.results(*exact)) <= tolerance
