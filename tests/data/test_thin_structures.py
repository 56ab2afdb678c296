"""A vessel of a thousandth of the volume, drawn for training."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.data.augment import Augmentation
from uumamba.data.foreground import foreground_locations
from uumamba.data.loader import PatchDataset
from uumamba.data.patches import RandomAffine, draw_voxel
from uumamba.data.sampler import SampleKey
from uumamba.data.store import CaseRecord, PreprocessedStore

SHAPE = (120, 96, 96)


def helix() -> np.ndarray:
    """(1, *SHAPE) int16: a vessel from end to end, along and off the borders, 3 voxels thick, 0.1 % of the volume."""
    labels = np.zeros((1, *SHAPE), np.int16)
    for z in range(SHAPE[0]):
        y, x = 48 + 48 * np.sin(z / 19), 48 + 48 * np.cos(z / 19)
        rows, columns = (slice(max(0, round(place) - 1), round(place) + 2) for place in (y, x))
        labels[0, z, rows, columns] = 1
    return labels


@pytest.fixture
def vessel(tmp_path: Path) -> PreprocessedStore:
    """One case of noise with the helix."""
    labels, store = helix(), PreprocessedStore(tmp_path / "store")
    assert 0.0007 < (labels > 0).mean() < 0.0012
    data = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    record = CaseRecord(inputs="", spacing_mm=(1.0, 1.0, 1.0))
    store.write("a", data, labels, record, foreground=foreground_locations(labels), patch_size=(32, 32, 32))
    return store


@pytest.mark.parametrize("turned", [False, True])
def test_every_foreground_patch_shows_the_vessel(vessel: PreprocessedStore, *, turned: bool) -> None:
    affine = RandomAffine(3, False, 1.0, 180.0, 1.0, (0.7, 1.4))
    augmentation = Augmentation(affine, intensity=(), mirror_axes=(), mirror_probability=0.0) if turned else None
    patches = PatchDataset(
        vessel, ["a"], patch_size=(24, 32, 32), target_strides=((1, 1, 1),), seed=0, augmentation=augmentation
    )
    shown = [bool((patches[SampleKey(0, number, True)]["target"][0] == 1).any()) for number in range(200)]
    assert all(shown)
    chance = [bool((patches[SampleKey(0, number, False)]["target"][0] == 1).any()) for number in range(50)]
    assert not all(chance)


@pytest.mark.parametrize("limit", [10_000, 400])
def test_all_parts_of_a_long_vessel_are_drawn_alike(limit: int) -> None:
    labels = helix()
    found = foreground_locations(labels, limit=limit)
    random = np.random.default_rng(0)
    drawn = [voxel[0] for voxel in (draw_voxel(found, random) for _ in range(6000)) if voxel is not None]
    parts, there = np.bincount(np.array(drawn) // 12), np.array([(part > 0).sum() for part in np.split(labels[0], 10)])
    np.testing.assert_allclose(parts / 6000, there / there.sum(), atol=0.02 if limit == 10_000 else 0.06)


def test_structures_of_any_size_are_drawn_equally_often() -> None:
    """23 classes: one of 5 voxels, others up to a twentieth of the volume."""
    labels = np.zeros((1, *SHAPE), np.int16)
    flat, start = labels.reshape(-1), 0
    for number in range(1, 24):
        size = 5 if number == 7 else int(50 * 1.35**number)
        flat[start : start + size] = number
        start += size
    found = foreground_locations(labels)
    assert sorted(map(len, found.values()))[0] == 5
    random = np.random.default_rng(0)
    drawn = [labels[0][voxel] for voxel in (draw_voxel(found, random) for _ in range(4600)) if voxel is not None]
    counts = np.bincount(drawn, minlength=24)[1:]
    assert counts.sum() == 4600
    assert 140 < counts.min() <= counts.max() < 270
