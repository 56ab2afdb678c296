"""A small noisy scan, stored in any axes."""

import numpy as np

from uumamba.imaging.image import Image
from uumamba.imaging.orientation import STORED, Orientation, reorient

STORAGES = [
    STORED,
    Orientation(axes=(0, 1, 2), flipped=(True, True, False)),
    Orientation(axes=(0, 1, 2), flipped=(True, False, True)),
    Orientation(axes=(1, 0, 2), flipped=(False, True, False)),
    Orientation(axes=(2, 0, 1), flipped=(False, False, True)),
]
"""How an image may lie in its file: as RAS, LPS, LAI, and with axes in another order."""


def scan(storage: Orientation = STORED, shape: tuple[int, int, int] = (13, 12, 4)) -> Image:
    """Noise with a bright ball, 1.8 x 1.8 x 5 mm, in canonical axes (which are RAS) but for how it is stored."""
    center = (shape[0] // 2 - 1, shape[1] // 2 + 1, 1)
    ball = sum((axis - middle) ** 2 for axis, middle in zip(np.indices(shape), center, strict=True)) < 14
    data = np.random.default_rng(1).normal(100, 30, shape) + 150 * ball
    affine = np.diag([1.8, 1.8, 5.0, 1.0])
    affine[:3, 3] = (-20, 15, 7)
    return reorient(Image(data.astype(np.float32), affine), storage)
