"""Batches of patches, the same for the same seed whatever the number of workers and wherever a run was resumed."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.core.machine import available_cores
from uumamba.core.seeding import derive_generator
from uumamba.data.augment import Augmentation
from uumamba.data.foreground import ANNOTATED
from uumamba.data.patches import (
    Box,
    cut_patch,
    downsample_labels,
    draw_annotated,
    draw_lower,
    draw_voxel,
    keep_in_view,
    target_strides,
)
from uumamba.data.plan import Plan
from uumamba.data.sampler import PatchBatchSampler, SampleKey
from uumamba.data.store import PreprocessedStore


class PatchSample(TypedDict):
    """One patch: image float32 (channel, *patch), targets int16 (1, *level size) full resolution first, its case."""

    image: Tensor
    target: list[Tensor]
    case: str


class PatchBatch(TypedDict):
    """Patches together: image float32 (batch, channel, *patch), targets int16 (batch, 1, *level size), their cases."""

    image: Tensor
    target: list[Tensor]
    case: list[str]


class PatchDataset(Dataset[PatchSample]):
    """Patches drawn from preprocessed cases; a sample depends on (seed, stream, epoch, number) and on nothing else.

    `seed` is the one it was made with.
    """

    def __init__(
        self,
        store: PreprocessedStore,
        cases: Sequence[str],
        *,
        patch_size: Sequence[int],
        target_strides: Sequence[Sequence[int]],
        seed: int,
        augmentation: Augmentation | None = None,
        stream: str = "training",
        masked_channels: Sequence[int] = (),
    ) -> None:
        """Patches of `patch_size`: 3 network axes, or 2, then a slice is drawn too.

        `target_strides`: strides of each target level against the patch (`patches.target_strides`); `stream` keeps
        apart the draws of data sets with one seed; `masked_channels` are set to 0 outside the nonzero mask (label
        -1), as preprocessing left them. In cases some of whose voxels may be ignored, every patch lies around one that
        is not. Raises `InputError` without cases, or for a case that is not in the store.
        """
        if not cases:
            raise InputError(
                f"no cases to draw {stream} patches from in {store.folder}; check the fold and the preprocessing"
            )
        self._store = store
        self._cases = tuple(cases)
        self._shapes: dict[str, Box] = {case: store.shape(case)[1:] for case in cases}
        self._planar = len(patch_size) == 2
        z, y, x = (1,) * (3 - len(patch_size)) + tuple(patch_size)
        self._size: Box = (z, y, x)
        self._strides = tuple(tuple(level) for level in target_strides)
        self.seed = seed
        self._augmentation = augmentation
        self._stream = stream
        self._masked_channels = list(masked_channels)
        self._sparse = {case for case in cases if ANNOTATED in store.foreground(case)}

    def __getitem__(self, key: SampleKey) -> PatchSample:
        """The sample that `key` names."""
        # Sums come out alike only if the same number of threads adds them up.
        with _one_thread():
            return self._draw(key)

    def _draw(self, key: SampleKey) -> PatchSample:
        random = derive_generator(self.seed, self._stream, key.epoch, key.number)
        case = self._cases[random.integers(len(self._cases))]
        shape = self._shapes[case]
        voxel = self._draw_middle(case, random, foreground=key.foreground)
        lower = draw_lower(shape, self._size, random, voxel)
        matrix = self._augmentation.affine.draw(random) if self._augmentation else None
        if voxel is not None and matrix is not None:
            lower = keep_in_view(lower, self._size, voxel, matrix)

        def read(low: Box, high: Box) -> tuple[Tensor, Tensor]:
            """A box of this case, as `cut_patch` asks for it."""
            data, labels = self._store.read_patch(case, low, high)
            return torch.from_numpy(data), torch.from_numpy(labels)

        image, labels = cut_patch(read, shape, lower, self._size, matrix)
        if self._planar:
            image, labels = image[:, 0], labels[:, 0]
        if self._augmentation:
            image, labels = self._augmentation(image, labels, random)
        if self._masked_channels:
            image[self._masked_channels] = image[self._masked_channels].masked_fill(labels < 0, 0.0)
        return {"image": image, "target": downsample_labels(labels.clamp(min=0), self._strides), "case": case}

    def _draw_middle(self, case: str, random: np.random.Generator, *, foreground: bool) -> Box | None:
        """The voxel that a patch shall lie around; None where any place will do."""
        if not foreground and case not in self._sparse:
            return None
        draw = draw_voxel if foreground else draw_annotated
        return draw(self._store.foreground(case), random)


def patches_of(
    store: PreprocessedStore,
    plan: Plan,
    cases: Sequence[str],
    *,
    deep_supervision: bool,
    seed: int,
    stream: str = "training",
    augmentation: Augmentation | None = None,
) -> PatchDataset:
    """Patches as a plan's network takes them, with a target for every level that `level_strides` names."""
    return PatchDataset(
        store,
        cases,
        patch_size=plan.patch_size,
        target_strides=level_strides(plan, deep_supervision=deep_supervision),
        seed=seed,
        augmentation=augmentation,
        stream=stream,
        masked_channels=[number for number, each in enumerate(plan.channels) if each.mask_for_normalization],
    )


def level_strides(plan: Plan, *, deep_supervision: bool) -> tuple[tuple[int, ...], ...]:
    """The strides of each level that the loss compares: all with deep supervision, else full resolution alone."""
    strides = target_strides(plan.topology.strides)
    return strides if deep_supervision else strides[:1]


class PatchLoader(DataLoader[PatchSample]):
    """A torch `DataLoader` that knows epochs; workers stay alive between them."""

    batch_sampler: PatchBatchSampler

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[PatchBatch]:
        """The batches of one epoch (from 0), without its first `start` ones: the others are the same as with them.

        With workers one epoch must end before the next is asked for.
        """
        self.batch_sampler.set_epoch(epoch, start)
        return iter(self)


def build_loader(
    dataset: PatchDataset,
    *,
    batch_size: int,
    iterations: int,
    foreground_fraction: float = 0.33,
    workers: int = 0,
    pin_memory: bool = False,
    rank: int = 0,
    ranks: int = 1,
) -> PatchLoader:
    """A loader of `iterations` batches per epoch; `batch_size` is global, each rank gets its share.

    `workers` 0 loads in this process; more than there are cores are not started. `pin_memory` is for training on CUDA.
    Nothing is drawn from torch's global generator, so a run draws the same after a resume. For validation give a data
    set of stream "validation" without augmentation, and iterate `loader.epoch(0)` each time: the same patches come.
    """
    cores = available_cores()
    if workers > cores:
        log.info("%d loader workers asked for, %d cores: %d workers start", workers, cores, cores)
        workers = cores
    sampler = PatchBatchSampler(
        batch_size=batch_size, iterations=iterations, foreground_fraction=foreground_fraction, rank=rank, ranks=ranks
    )
    parallel: dict[str, Any] = {"persistent_workers": True, "worker_init_fn": _start_worker} if workers else {}
    return PatchLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pin_memory,
        generator=torch.Generator().manual_seed(dataset.seed),
        **parallel,
    )


def _start_worker(_: int) -> None:
    """One thread, and deaf to signals, which a whole process group gets: the training process decides when to stop."""
    torch.set_num_threads(1)
    for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
