"""Large images with something small in them, in ACDC's layout: what a region of interest is for."""

from pathlib import Path

import numpy as np

from uumamba.core.files import write_text
from uumamba.core.seeding import derive_generator
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image

SHAPE, SPACING_MM = (56, 48, 40), (2.0, 2.0, 2.0)


def draw(seed: int, *, shape: tuple[int, int, int] = SHAPE) -> tuple[Image, Image]:
    """Noise around 100 with three nested balls, each 50 brighter than the one around it, of 6, 12 and 18 mm radius.

    They lie anywhere, at least 20 mm from the borders. The label of the outermost is 1.
    """
    random = derive_generator(seed, "small in large")
    centre = [random.uniform(10, size - 10) for size in shape]
    distance = np.linalg.norm((np.indices(shape).reshape(3, -1).T - centre) * SPACING_MM, axis=1).reshape(shape)
    labels = np.digitize(-distance, [-18, -12, -6]).astype(np.uint8)
    data = (100 + 50 * labels.astype(np.float32) + random.normal(0, 8, shape)).astype(np.float32)
    affine = np.diag([*SPACING_MM, 1.0])
    return Image(data, affine), Image(labels, affine)


def write_fake(root: Path, *, patients: int = 5) -> None:
    """Write `database/training` under `root`, two frames of each patient."""
    for number in range(1, patients + 1):
        folder = root / "database" / "training" / f"patient{number:03d}"
        write_text(folder / "Info.cfg", "ED: 1\nES: 2\nGroup: NOR\nHeight: 170\nNbFrame: 2\nWeight: 70\n")
        for frame in (1, 2):
            image, labels = draw(10 * number + frame)
            name = f"{folder.name}_frame{frame:02d}"
            write_image(folder / f"{name}.nii.gz", image)
            write_label_map(folder / f"{name}_gt.nii.gz", labels.data, image)
