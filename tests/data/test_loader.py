"""The same seed gives the same batches: by any number of workers, on any number of ranks, after any resume."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.store import fake_store
from uumamba.core.errors import ConfigError, InputError
from uumamba.data.augment import AugmentationSettings
from uumamba.data.loader import PatchBatch, PatchDataset, PatchLoader, build_loader
from uumamba.data.patches import target_strides
from uumamba.data.sampler import PatchBatchSampler, SampleKey, foreground_samples
from uumamba.data.store import CaseRecord, PreprocessedStore

STRIDES_2D = target_strides(((1, 1), (2, 2), (2, 2), (2, 2)))
STRIDES_3D = target_strides(((1, 1, 1), (1, 2, 2), (2, 2, 2)))
OFTEN = AugmentationSettings(
    rotation_probability=0.7,
    scaling_probability=0.7,
    noise_probability=0.5,
    blur_probability=0.9,
    gamma_probability=0.9,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PreprocessedStore:
    return fake_store(tmp_path_factory.mktemp("store"))


def dataset(store: PreprocessedStore, *, seed: int = 5, augment: bool = True, stream: str = "training") -> PatchDataset:
    augmentation = OFTEN.build(patch_size=(32, 24), mirror_axes=(0, 1)) if augment else None
    return PatchDataset(
        store,
        store.cases(),
        patch_size=(32, 24),
        target_strides=STRIDES_2D,
        seed=seed,
        augmentation=augmentation,
        stream=stream,
    )


def loader(data: PatchDataset, *, workers: int = 0, rank: int = 0, ranks: int = 1) -> PatchLoader:
    return build_loader(data, batch_size=6, iterations=5, workers=workers, rank=rank, ranks=ranks)


def same(one: PatchBatch, other: PatchBatch) -> bool:
    targets = zip(one["target"], other["target"], strict=True)
    return (
        torch.equal(one["image"], other["image"])
        and all(torch.equal(a, b) for a, b in targets)
        and one["case"] == other["case"]
    )


@pytest.mark.parametrize(
    ("patch", "strides", "sizes"),
    [
        ((32, 24), STRIDES_2D, [(32, 24), (16, 12), (8, 6)]),
        ((4, 16, 24), STRIDES_3D, [(4, 16, 24), (4, 8, 12)]),
        ((16, 64, 48), STRIDES_3D, [(16, 64, 48), (16, 32, 24)]),
    ],
)
def test_batch_format(
    store: PreprocessedStore, patch: tuple[int, ...], strides: tuple[tuple[int, ...], ...], sizes: list[tuple[int, ...]]
) -> None:
    augmentation = OFTEN.build(patch_size=patch, mirror_axes=(0, 1))
    data = PatchDataset(
        store, store.cases(), patch_size=patch, target_strides=strides, seed=1, augmentation=augmentation
    )
    batches = list(build_loader(data, batch_size=3, iterations=4).epoch(0))
    assert len(batches) == 4
    for batch in batches:
        assert batch["image"].shape == (3, 1, *patch)
        assert batch["image"].dtype == torch.float32
        assert [tuple(level.shape) for level in batch["target"]] == [(3, 1, *size) for size in sizes]
        assert all(level.dtype == torch.int16 and level.is_contiguous() for level in batch["target"])
        assert all(set(level.unique().tolist()) <= {0, 1, 2} for level in batch["target"])
        assert len(batch["case"]) == 3
        assert set(batch["case"]) <= set(store.cases())


def test_workers_change_nothing(store: PreprocessedStore) -> None:
    alone, shared = loader(dataset(store)), loader(dataset(store), workers=2)
    for epoch in (0, 1, 0):
        pairs = list(zip(alone.epoch(epoch), shared.epoch(epoch), strict=True))
        assert len(pairs) == 5
        assert all(same(one, other) for one, other in pairs)


def test_threads_change_nothing(store: PreprocessedStore) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = list(loader(dataset(store)).epoch(0))
        torch.set_num_threads(2)
        two = list(loader(dataset(store)).epoch(0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert all(same(*pair) for pair in zip(one, two, strict=True))


def test_order_of_fetching_changes_nothing(store: PreprocessedStore) -> None:
    data = dataset(store)
    keys = [SampleKey(epoch, number, number % 2 == 0) for epoch in range(2) for number in range(6)]
    forwards = {key: data[key]["image"] for key in keys}
    copy = pickle.loads(pickle.dumps(data))
    assert all(torch.equal(copy[key]["image"], forwards[key]) for key in reversed(keys))


def test_every_epoch_seed_stream_and_sample_differs(store: PreprocessedStore) -> None:
    first = next(loader(dataset(store)).epoch(0))
    others = [
        next(loader(dataset(store)).epoch(1)),
        next(loader(dataset(store, seed=6)).epoch(0)),
        next(loader(dataset(store, stream="validation")).epoch(0)),
    ]
    assert not any(torch.equal(first["image"], other["image"]) for other in others)
    samples = [image for batch in loader(dataset(store)).epoch(0) for image in batch["image"]]
    assert len({image.numpy().tobytes() for image in samples}) == 30


def test_resume_equals_continue(store: PreprocessedStore) -> None:
    whole = list(loader(dataset(store)).epoch(3))
    rest = list(loader(dataset(store)).epoch(3, start=2))
    assert len(rest) == 3
    assert all(same(*pair) for pair in zip(whole[2:], rest, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_torchs_global_generator_is_left_alone(store: PreprocessedStore, workers: int) -> None:
    before = torch.get_rng_state()
    data = loader(dataset(store), workers=workers)
    for epoch in range(2):
        assert len(list(data.epoch(epoch))) == 5
    assert torch.equal(torch.get_rng_state(), before)


def test_an_epoch_stays_the_one_that_was_asked_for(store: PreprocessedStore) -> None:
    data = loader(dataset(store))
    first, second = data.epoch(0), data.epoch(1, start=3)
    assert len(list(first)) == 5
    assert same(next(second), list(loader(dataset(store)).epoch(1))[3])


def test_ranks_share_the_global_batch(store: PreprocessedStore) -> None:
    whole = next(loader(dataset(store)).epoch(0))
    parts = [next(loader(dataset(store), rank=rank, ranks=3).epoch(0)) for rank in range(3)]
    for rank, part in enumerate(parts):
        assert torch.equal(part["image"], whole["image"][rank::3])
        assert part["case"] == whole["case"][rank::3]


def test_validation_is_the_same_every_time(store: PreprocessedStore) -> None:
    validation = loader(dataset(store, augment=False, stream="validation"))
    assert all(same(*pair) for pair in zip(validation.epoch(0), validation.epoch(0), strict=True))


def test_without_augmentation_a_patch_is_a_piece_of_its_case(store: PreprocessedStore) -> None:
    sample = dataset(store, augment=False)[SampleKey(0, 0, False)]
    data, labels = store.read_case(sample["case"])
    pieces = np.lib.stride_tricks.sliding_window_view(data[0], (1, 32, 24))
    found = np.argwhere((pieces[..., 0, :, :] == sample["image"][0].numpy()).all(axis=(-2, -1)))
    assert len(found) == 1
    z, y, x = found[0]
    np.testing.assert_array_equal(sample["target"][0][0], labels[0, z, y : y + 32, x : x + 24])


def test_foreground_is_shown(store: PreprocessedStore) -> None:
    """Small patches of a mostly empty volume: those that must show foreground do, at their middle, of either class."""
    augmentation = AugmentationSettings().build(patch_size=(7, 7), mirror_axes=(0, 1))
    data = PatchDataset(
        store, store.cases(), patch_size=(7, 7), target_strides=((1, 1),), seed=0, augmentation=augmentation
    )
    forced = [data[SampleKey(0, number, True)]["target"][0] for number in range(200)]
    free = [data[SampleKey(0, number, False)]["target"][0] for number in range(200)]
    assert all(bool((target > 0).any()) for target in forced)
    middles = [int(target[0, 3, 3]) for target in forced]
    assert min(middles.count(1), middles.count(2)) > 60
    assert sum(bool((target > 0).any()) for target in free) < 120


def test_case_without_foreground_gives_random_patches(tmp_path: Path) -> None:
    store = PreprocessedStore(tmp_path)
    empty = np.zeros((1, 4, 20, 20), np.float32)
    store.write("a", empty, empty.astype(np.int8), CaseRecord(inputs="", spacing_mm=(1, 1, 1)), foreground={})
    data = PatchDataset(store, ["a"], patch_size=(8, 8), target_strides=((1, 1),), seed=0)
    assert data[SampleKey(0, 0, True)]["image"].shape == (1, 8, 8)


def test_masked_channels_stay_zero_outside(tmp_path: Path) -> None:
    store = PreprocessedStore(tmp_path)
    labels = np.zeros((1, 2, 16, 16), np.int8)
    labels[..., 8:] = -1
    image = np.ones((2, 2, 16, 16), np.float32)
    store.write("a", image, labels, CaseRecord(inputs="", spacing_mm=(1, 1, 1)), foreground={})
    data = PatchDataset(store, ["a"], patch_size=(16, 16), target_strides=((1, 1),), seed=0, masked_channels=(1,))
    sample = data[SampleKey(0, 0, False)]
    assert bool((sample["image"][0] == 1).all())
    assert bool((sample["image"][1, :, 8:] == 0).all())
    assert bool((sample["image"][1, :, :8] == 1).all())
    assert bool((sample["target"][0] == 0).all())


@pytest.mark.parametrize(
    ("batch_size", "fraction", "expected"),
    [(12, 0.33, 4), (2, 0.33, 1), (4, 0.33, 1), (1, 0.33, 1), (7, 0, 0), (3, 1, 3)],
)
def test_foreground_share_of_a_batch(batch_size: int, fraction: float, expected: int) -> None:
    assert foreground_samples(batch_size, fraction) == expected
    batch = next(iter(PatchBatchSampler(batch_size=batch_size, iterations=1, foreground_fraction=fraction)))
    assert [key.foreground for key in batch] == [False] * (batch_size - expected) + [True] * expected


def test_sampler_length_follows_the_start() -> None:
    sampler = PatchBatchSampler(batch_size=2, iterations=7, foreground_fraction=0.33)
    sampler.set_epoch(4, start=5)
    assert len(sampler) == len(list(sampler)) == 2
    assert [key[:2] for key in next(iter(sampler))] == [(4, 10), (4, 11)]


def test_more_workers_than_processors_is_said(store: PreprocessedStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="uumamba"):
        built = loader(dataset(store), workers=10_000)
    assert built.num_workers < 10_000
    assert "10000 loader workers asked for" in caplog.text


def test_loading_needs_no_image_readers(store: PreprocessedStore) -> None:
    """A training node lacks what reads and preprocesses images."""
    program = """
import sys
for name in ("nnunetv2", "SimpleITK", "nibabel", "uumamba.imaging"):
    sys.modules[name] = None
from pathlib import Path
from uumamba.data.loader import PatchDataset, SampleKey
from uumamba.data.store import PreprocessedStore
store = PreprocessedStore(Path(sys.argv[1]))
data = PatchDataset(store, store.cases(), patch_size=(8, 8), target_strides=((1, 1),), seed=0)
print(tuple(data[SampleKey(0, 0, True)]["image"].shape))
"""
    command = [sys.executable, "-c", program, str(store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (done.stdout.strip(), done.returncode) == ("(1, 8, 8)", 0), done.stderr


def test_messages(store: PreprocessedStore) -> None:
    with pytest.raises(InputError, match=r"no cases to draw training patches from in .*; check the fold"):
        PatchDataset(store, [], patch_size=(8, 8), target_strides=((1, 1),), seed=0)
    with pytest.raises(InputError, match="'nobody' is not preprocessed"):
        PatchDataset(store, ["nobody"], patch_size=(8, 8), target_strides=((1, 1),), seed=0)
    with pytest.raises(ConfigError, match="batch_size must be a multiple of the 4 processes, got 6; change one"):
        loader(dataset(store), ranks=4)
