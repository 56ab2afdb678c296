"""Segment the heart and great vessels in MRI and CT with UU-Mamba."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uumamba.imaging.image import Image
    from uumamba.inference.predictor import Predictor


def segment(image: "str | Path | Image", bundle: "str | Path | Sequence[str | Path] | Predictor") -> "Image":
    """The label map of an image.

    `image` is a file (NIfTI, NRRD, MetaImage; a volume or a series of volumes), or an `Image(data, affine)` with `data`
    float32 (x, y, z[, time]) and the affine in mm (RAS). `bundle` is a bundle, a finished run's folder, or several of
    either, which are averaged; or a predictor, which `uumamba.inference.segment.load_predictor` loads once for many
    images. Gives an `Image`: `data` uint8 with the image's axes, `affine` and `spacing_mm`. Research use only.
    Raises `InputError` for a file or a bundle that cannot be used.
    """
    # Not at the top: torch takes seconds to import, and `uumamba --help` needs none of it.
    from uumamba.inference.segment import segment as run

    return run(image, bundle)
