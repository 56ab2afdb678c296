"""A label map in little memory, so that those of many cases can be kept."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUICK = 1


@dataclass(frozen=True)
class PackedLabels:
    """A compressed uint8 label map, typically a hundredth of its size."""

    shape: tuple[int, ...]
    packed: bytes

    def unpack(self) -> NDArray[np.uint8]:
        """The label map, as it was packed."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape).copy()


def pack_labels(labels: NDArray[np.integer]) -> PackedLabels:
    """Keep a label map, whose numbers are 0 to 255."""
    return PackedLabels(labels.shape, zlib.compress(labels.astype(np.uint8).tobytes(), _QUICK))
