"""Scores of one case: each structure of a prediction against its reference.

The one policy for what cannot simply be compared, applied everywhere in this package:

    outcome          reference   prediction   metrics                             in the mean
    found            has it      has it       computed                            yes
    missed           has it      has not      total miss: Dice 0, NSD 0,          yes
                                              distances = the image's diagonal,
                                              Betti-0 error = all its components
    false positive   has not     has it       total miss                          yes
    absent           has not     has not      None                                no
    not labelled     has not,    -            None                                no
                     and may lack it (`LabelMatch.optional`)
    failed           -           missing, unreadable, on another grid,            no; `mean_with_failures` counts
                                 or with unknown labels: None                     it as a total miss

The volume error is prediction - reference, for the first three outcomes; it has no percentage if the reference is
empty. A reference that cannot be read makes its case failed too. Every None has a reason. Metrics for thin vessels are
computed for the structures in `LabelMatch.tubular` alone; the others do not have them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.ndimage import find_objects

from uumamba.core.errors import InputError
from uumamba.core.labels import mask_of
from uumamba.data.case_reading import read_label_frame
from uumamba.evaluation.label_match import LabelMap, LabelMatch, Numbers
from uumamba.evaluation.pairing import CasePair
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.measures import volume_ml
from uumamba.metrics import METRICS, Metric, count_components, metrics_at, metrics_for
from uumamba.metrics.masks import Mask, image_diagonal_mm
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM

Outcome = Literal["found", "missed", "false positive", "absent", "not labelled", "failed"]
COMPARED: tuple[Outcome, ...] = ("found", "missed", "false positive")
Tolerance = float | Mapping[str, float]
_Box = tuple[slice, ...]


@dataclass(frozen=True)
class StructureScore:
    """One structure in one case: metrics by name (as in `METRICS`), volumes in ml, and the reason for every None.

    `image_diagonal_mm` is the distance that a total miss scores; None if the reference could not be read. A `tubular`
    structure has the metrics for vessels and the numbers of components too.
    """

    case: str
    structure: str
    outcome: Outcome
    metrics: Mapping[str, float | None]
    prediction_ml: float | None
    reference_ml: float | None
    image_diagonal_mm: float | None
    reason: str | None = None
    tubular: bool = False
    prediction_components: int | None = None
    reference_components: int | None = None

    @property
    def volume_error_ml(self) -> float | None:
        """Predicted minus reference volume in ml; None unless the structure was compared."""
        if self.prediction_ml is None or self.reference_ml is None or self.outcome not in COMPARED:
            return None
        return self.prediction_ml - self.reference_ml

    @property
    def volume_error_percent(self) -> float | None:
        """The volume error in percent of the reference's volume; None without a volume error or with a volume of 0."""
        if self.volume_error_ml is None or not self.reference_ml:
            return None
        return 100 * self.volume_error_ml / self.reference_ml


def score_case(
    pair: CasePair, labels: LabelMatch, *, nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM
) -> tuple[StructureScore, ...]:
    """Read one case's two label maps and score every structure; whatever is wrong with them becomes a failed score."""
    try:
        reference = _read(pair.reference, pair.frame, labels.references, labels.ignore)
    except InputError as error:
        return _failed(pair.name, f"reference: {error}", labels, None)
    if pair.prediction is None:
        return _failed(pair.name, "no prediction", labels, reference)
    try:
        prediction = _read(pair.prediction, pair.frame, labels.predictions, labels.ignore)
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
    labels: LabelMatch,
    *,
    nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM,
) -> tuple[StructureScore, ...]:
    """Score every compared structure of two 3D label maps of one shape; spacing in mm, in their axis order.

    Voxels that the reference says to ignore count as background in both. Along an axis with a single voxel there is no
    surface: such an image is compared as the 2D image that it is. `nsd_tolerance_mm`: one number, or one per structure.
    """
    diagonal_mm = image_diagonal_mm(reference.shape, spacing_mm)
    if labels.ignore is not None:
        prediction, reference = (np.where(reference == labels.ignore, 0, each) for each in (prediction, reference))
    predicted_boxes, true_boxes = _boxes(prediction, labels.predictions), _boxes(reference, labels.references)
    scores = []
    for name in labels.structures:
        predicted, true = predicted_boxes[name], true_boxes[name]
        numbers = (labels.predictions[name], labels.references[name])
        outcome, reason = _outcome(name, predicted is not None, true is not None, optional=name in labels.optional)
        tubular = name in labels.tubular
        parts = (_part(prediction, predicted, numbers[0]), _part(reference, true, numbers[1]))
        pieces = [count_components(part) if tubular else None for part in parts]
        if predicted and true:
            box = _union(predicted, true)
            masks = (mask_of(prediction[box], numbers[0]), mask_of(reference[box], numbers[1]))
            tolerance_mm = nsd_tolerance_mm[name] if isinstance(nsd_tolerance_mm, Mapping) else nsd_tolerance_mm
            chosen = metrics_at(tolerance_mm, tubular=tubular)
            metrics = _compare(*masks, spacing_mm, chosen, flat_axis=_flat_axis(reference.shape))
        else:
            metrics = _without_overlap(outcome, diagonal_mm, pieces)
        volumes: list[float | None] = [volume_ml(part, spacing_mm) for part in parts]
        if outcome == "not labelled":
            volumes[1] = pieces[1] = None
        sizes = (volumes[0], volumes[1], diagonal_mm, reason, tubular, pieces[0], pieces[1])
        scores.append(StructureScore(case, name, outcome, metrics, *sizes))
    return tuple(scores)


def _compare(
    prediction: Mask,
    reference: Mask,
    spacing_mm: Sequence[float],
    metrics: Mapping[str, Metric],
    *,
    flat_axis: int | None,
) -> dict[str, float | None]:
    if flat_axis is not None:
        prediction, reference = prediction.squeeze(flat_axis), reference.squeeze(flat_axis)
        spacing_mm = [step for axis, step in enumerate(spacing_mm) if axis != flat_axis]
    return {key: metric.function(prediction, reference, spacing_mm) for key, metric in metrics.items()}


def _without_overlap(outcome: Outcome, diagonal_mm: float, pieces: Sequence[int | None]) -> dict[str, float | None]:
    """The metrics of a structure that one side has or none; `pieces` of both, None for one that is not tubular."""
    names = metrics_for(tubular=None not in pieces)
    if outcome in ("absent", "not labelled"):
        return dict.fromkeys(names)
    most = max(number or 0 for number in pieces)
    return {name: METRICS[name].of_total_miss(diagonal_mm, most) for name in names}


def _flat_axis(shape: tuple[int, ...]) -> int | None:
    return shape.index(1) if 1 in shape else None


def _boxes(label_map: LabelMap, numbers: Numbers) -> dict[str, _Box | None]:
    """The smallest box that holds each structure, None for one that is not there."""
    of_number = find_objects(label_map, max_label=max(number for of_it in numbers.values() for number in of_it))
    boxes: dict[str, _Box | None] = {}
    for name, of_it in numbers.items():
        found = [box for number in of_it if (box := of_number[number - 1]) is not None]
        boxes[name] = _union(*found) if found else None
    return boxes


def _union(*boxes: _Box) -> _Box:
    return tuple(slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True))


def _part(label_map: LabelMap, box: _Box | None, numbers: Sequence[int]) -> Mask:
    """The structure's mask in its box; an empty one where it is not there."""
    return mask_of(label_map[box], numbers) if box else np.zeros((1,) * label_map.ndim, dtype=bool)


def _outcome(name: str, predicted: bool, true: bool, *, optional: bool) -> tuple[Outcome, str | None]:
    if predicted and true:
        return "found", None
    if true:
        return "missed", f"{name} is not in the prediction: a total miss"
    if optional:
        return "not labelled", f"{name} is not labelled in this reference: nothing to compare"
    if predicted:
        return "false positive", f"{name} is not in the reference: a total miss, and no % of its volume of 0"
    return "absent", f"{name} is in neither: nothing to compare"


def _read(path: Path, frame: int | None, numbers: Numbers, ignore: int | None) -> Image:
    label_map = read_label_frame(path, frame)
    allowed = {0, ignore, *(number for of_it in numbers.values() for number in of_it)}
    if unknown := sorted(set(np.unique(label_map.data).tolist()) - allowed):
        known = ", ".join(f"{'+'.join(map(str, of_it))} {name}" for name, of_it in numbers.items())
        raise InputError(
            f"{path}: holds the labels {', '.join(map(str, unknown))}; known are 0 background, {known}; "
            "name the right ones with --dataset or --labels"
        )
    return label_map


def _failed(case: str, reason: str, labels: LabelMatch, reference: Image | None) -> tuple[StructureScore, ...]:
    diagonal_mm = None if reference is None else image_diagonal_mm(reference.shape, reference.spacing_mm)
    scores = []
    for name in labels.structures:
        tubular = name in labels.tubular
        volume, pieces = (None, None) if reference is None else _labelled(name, labels, reference)
        scores.append(
            StructureScore(
                case,
                name,
                "failed",
                dict.fromkeys(metrics_for(tubular=tubular)),
                prediction_ml=None,
                reference_ml=volume,
                image_diagonal_mm=diagonal_mm,
                reason=reason,
                tubular=tubular,
                reference_components=pieces if tubular else None,
            )
        )
    return tuple(scores)


def _labelled(name: str, labels: LabelMatch, reference: Image) -> tuple[float | None, int | None]:
    """A structure's volume in a reference in ml and its components; None where it is optional and not there."""
    mask = mask_of(reference.data, labels.references[name])
    if name in labels.optional and not mask.any():
        return None, None
    return volume_ml(mask, reference.spacing_mm), count_components(mask)
