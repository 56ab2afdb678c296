"""A small store of preprocessed cases: balls of two classes in noise."""

from pathlib import Path

import numpy as np

from uumamba.core.seeding import derive_generator
from uumamba.data.foreground import foreground_locations
from uumamba.data.store import CaseRecord, PreprocessedStore


def fake_store(
    folder: Path, *, cases: int = 3, shape: tuple[int, int, int] = (8, 40, 36), channels: int = 1
) -> PreprocessedStore:
    """Cases case0, case1, ... whose image is noise plus the label; label 1 is a shell, label 2 the ball within."""
    store = PreprocessedStore(folder)
    for number in range(cases):
        random = derive_generator(number, "fake store")
        middle = np.array(shape) * (0.4 + 0.2 * random.random(3))
        voxels = np.indices(shape).reshape(3, -1).T
        distance = np.linalg.norm(voxels - middle, axis=1).reshape(shape)
        labels = np.digitize(-distance, [-min(shape[1:]) / 4, -min(shape[1:]) / 8]).astype(np.int8)[None]
        data = (labels + random.normal(size=(channels, *shape))).astype(np.float32)
        record = CaseRecord(inputs=f"made of {number}", spacing_mm=(5.0, 1.5, 1.25))
        store.write(f"case{number}", data, labels, record, foreground=foreground_locations(labels))
    return store
