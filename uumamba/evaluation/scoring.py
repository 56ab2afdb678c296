"""Scores of one case: each structure of a prediction against its reference.

The one policy for what cannot simply be compared, applied everywhere in this package:

    outcome          reference   prediction   metrics                             in the mean
    found            has it      has it       computed                            yes
    missed           has it      has not      total miss: Dice 0, NSD 0,          yes
                                              distances = the image's diagonal
    false positive   has not     has it       total miss                          yes
    absent           has not     has not      None                                no
    failed           -           missing, unreadable, on another grid,            no; `mean_with_failures` counts
                                 or with unknown labels: None                     it as a total miss

A reference that cannot be read makes its case failed too. Every None has a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.evaluation.pairing import CasePair
from uumamba.imaging.files import read_label_map
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.measures import volume_ml
from uumamba.metrics import METRICS, metrics_at
from uumamba.metrics.masks import Mask, image_diagonal_mm
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM

Outcome = Literal["found", "missed", "false positive", "absent", "failed"]
Tolerance = float | Mapping[str, float]
LabelMap = NDArray[np.integer]


@dataclass(frozen=True)
class StructureScore:
    """One structure in one case: metrics by name (as in `METRICS`), volumes in ml, and the reason for every None.

    `image_diagonal_mm` is the distance that a total miss scores; None if the reference could not be read.
    """

    case: str
    structure: str
    outcome: Outcome
    metrics: Mapping[str, float | None]
    prediction_ml: float | None
    reference_ml: float | None
    image_diagonal_mm: float | None
    reason: str | None = None

    @property
    def difference_ml(self) -> float | None:
        """Predicted minus reference volume in ml."""
        if self.prediction_ml is None or self.reference_ml is None:
            return None
        return self.prediction_ml - self.reference_ml


def score_case(
    pair: CasePair, labels: LabelSet, *, nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM
) -> tuple[StructureScore, ...]:
    """Read one case's two label maps and score every structure; whatever is wrong with them becomes a failed score."""
    try:
        reference = _read(pair.reference, labels)
    except InputError as error:
        return _failed(pair.name, f"reference: {error}", labels, None)
    if pair.prediction is None:
        return _failed(pair.name, "no prediction", labels, reference)
    try:
        prediction = _read(pair.prediction, labels)
        require_same_grid(reference, prediction, str(pair.reference), str(pair.prediction))
    except InputError as error:
        return _failed(pair.name, f"prediction: {error}", labels, reference)
    return score_label_maps(
        pair.name, prediction.data, reference.data, reference.spacing_mm, labels, nsd_tolerance_mm=nsd_tolerance_mm
    )


def score_label_maps(
    case: str,
    prediction: LabelMap,
    reference: LabelMap,
    spacing_mm: Sequence[float],
    labels: LabelSet,
    *,
    nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM,
) -> tuple[StructureScore, ...]:
    """Score every structure of two 3D label maps of one shape; spacing in mm, in their axis order.

    Voxels that the reference says to ignore count as background in both. Along an axis with a single voxel there is no
    surface: such an image is compared as the 2D image that it is. `nsd_tolerance_mm`: one number, or one per structure.
    """
    diagonal_mm = image_diagonal_mm(reference.shape, spacing_mm)
    if labels.ignore is not None:
        prediction, reference = (np.where(reference == labels.ignore, 0, each) for each in (prediction, reference))
    boxes = zip(*(find_objects(each, max_label=labels.classes - 1) for each in (prediction, reference)), strict=True)
    scores = []
    for (name, number), (predicted, true) in zip(labels.structures.items(), boxes, strict=True):
        outcome, reason = _outcome(name, predicted is not None, true is not None)
        if predicted and true:
            box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(predicted, true, strict=True))
            masks = (prediction[box] == number, reference[box] == number)
            tolerance_mm = nsd_tolerance_mm[name] if isinstance(nsd_tolerance_mm, Mapping) else nsd_tolerance_mm
            metrics = _compare(*masks, spacing_mm, tolerance_mm, flat_axis=_flat_axis(reference.shape))
        elif outcome == "absent":
            metrics = dict.fromkeys(METRICS)
        else:
            metrics = {key: metric.of_total_miss(diagonal_mm) for key, metric in METRICS.items()}
        scores.append(
            StructureScore(
                case,
                name,
                outcome,
                metrics,
                prediction_ml=_volume_in(prediction, predicted, number, spacing_mm),
                reference_ml=_volume_in(reference, true, number, spacing_mm),
                image_diagonal_mm=diagonal_mm,
                reason=reason,
            )
        )
    return tuple(scores)


def _compare(
    prediction: Mask, reference: Mask, spacing_mm: Sequence[float], tolerance_mm: float, *, flat_axis: int | None
) -> dict[str, float | None]:
    if flat_axis is not None:
        prediction, reference = prediction.squeeze(flat_axis), reference.squeeze(flat_axis)
        spacing_mm = [step for axis, step in enumerate(spacing_mm) if axis != flat_axis]
    return {key: metric.function(prediction, reference, spacing_mm) for key, metric in metrics_at(tolerance_mm).items()}


def _flat_axis(shape: tuple[int, ...]) -> int | None:
    return shape.index(1) if 1 in shape else None


def _volume_in(label_map: LabelMap, box: tuple[slice, ...] | None, number: int, spacing_mm: Sequence[float]) -> float:
    return volume_ml(label_map[box] == number, spacing_mm) if box else 0.0


def _outcome(name: str, predicted: bool, true: bool) -> tuple[Outcome, str | None]:
    if predicted and true:
        return "found", None
    if true:
        return "missed", f"{name} is not in the prediction: a total miss"
    if predicted:
        return "false positive", f"{name} is not in the reference: a total miss"
    return "absent", f"{name} is in neither: nothing to compare"


def _read(path: Path, labels: LabelSet) -> Image:
    label_map = read_label_map(path)
    allowed = {*range(labels.classes), labels.ignore}
    if unknown := sorted(set(np.unique(label_map.data).tolist()) - allowed):
        raise InputError(
            f"{path}: holds the labels {', '.join(map(str, unknown))}; known are "
            f"{', '.join(f'{number} {name}' for number, name in enumerate(labels.names))}; "
            "name the right ones with --dataset or --labels"
        )
    return label_map


def _failed(case: str, reason: str, labels: LabelSet, reference: Image | None) -> tuple[StructureScore, ...]:
    diagonal_mm = None if reference is None else image_diagonal_mm(reference.shape, reference.spacing_mm)
    return tuple(
        StructureScore(
            case,
            name,
            "failed",
            dict.fromkeys(METRICS),
            prediction_ml=None,
            reference_ml=None if reference is None else volume_ml(reference.data == number, reference.spacing_mm),
            image_diagonal_mm=diagonal_mm,
            reason=reason,
        )
        for name, number in labels.structures.items()
    )
