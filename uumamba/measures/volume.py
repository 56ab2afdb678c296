"""Volumes of structures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet, mask_of
from uumamba.measures.measurement import Measurement


def volume_ml(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> float:
    """Volume of a boolean 3D mask in ml; spacing in mm, one number per axis in the mask's order."""
    return float(np.count_nonzero(mask) * np.prod(spacing_mm) / 1000)


def structure_volumes(
    label_map: NDArray[np.integer], spacing_mm: Sequence[float], labels: LabelSet
) -> dict[str, Measurement]:
    """Volume in ml of every structure of a 3D label map; a structure without a voxel has none, with the reason."""
    return {
        name: volume_measurement(volume_ml(mask_of(label_map, numbers), spacing_mm), name)
        for name, numbers in labels.members.items()
    }


def volume_measurement(volume: float, structure: str) -> Measurement:
    """A volume in ml as a measurement: 0 ml means that the structure is absent, which is no volume of it."""
    return Measurement(volume) if volume > 0 else Measurement(None, f"{structure} is absent")
