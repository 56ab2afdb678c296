"""Which samples make up which batch, on which rank."""

from collections.abc import Iterator
from typing import NamedTuple

from torch.utils.data import Sampler

from uumamba.core.errors import ConfigError


class SampleKey(NamedTuple):
    """The name of one sample: with the run's seed it decides all that is random about it."""

    epoch: int
    number: int
    foreground: bool


def foreground_samples(batch_size: int, fraction: float) -> int:
    """How many of a batch's samples must show foreground: nnU-Net's rounding, at least one unless the fraction is 0."""
    return max(batch_size - round(batch_size * (1 - fraction)), 1) if fraction > 0 else 0


class PatchBatchSampler(Sampler[list[SampleKey]]):
    """A fixed number of batches per epoch.

    Sample `number` of an epoch belongs to batch `number // batch_size`; the last ones of each global batch show
    foreground. Rank r of R takes the samples r, r + R, ... of each global batch, so all ranks together see what one
    process would.
    """

    def __init__(
        self, *, batch_size: int, iterations: int, foreground_fraction: float, rank: int = 0, ranks: int = 1
    ) -> None:
        """`batch_size` is the global one, over all ranks. Raises `ConfigError` if the ranks cannot share it equally."""
        if batch_size < 1 or batch_size % ranks != 0:
            raise ConfigError(
                f"batch_size must be a multiple of the {ranks} processes, got {batch_size}; change one of them"
            )
        self._batch_size = batch_size
        self._iterations = iterations
        self._foreground_from = batch_size - foreground_samples(batch_size, foreground_fraction)
        self._slots = range(rank, batch_size, ranks)
        self._epoch, self._start = 0, 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch (from 0) of the next pass and the batch (from 0) that it begins with."""
        self._epoch, self._start = epoch, start

    def __len__(self) -> int:
        """Batches of the next pass."""
        return self._iterations - self._start

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """The batches of the chosen epoch on this rank, as keys."""
        # Not a generator function: a pass keeps the epoch that was chosen when it was asked for.
        epoch, batches = self._epoch, range(self._start, self._iterations)
        return ([self._key(epoch, batch, slot) for slot in self._slots] for batch in batches)

    def _key(self, epoch: int, batch: int, slot: int) -> SampleKey:
        return SampleKey(epoch, batch * self._batch_size + slot, slot >= self._foreground_from)
