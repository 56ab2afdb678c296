"""Validation: on patches after each epoch, on whole volumes at the end."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from uumamba.core.labels import LabelSet, mask_of
from uumamba.core.processes import ALONE, Processes
from uumamba.core.progress import track
from uumamba.data.loader import PatchBatch
from uumamba.data.plan import Plan
from uumamba.data.store import PreprocessedStore
from uumamba.inference.packed_labels import PackedLabels, pack_labels
from uumamba.inference.region import Region
from uumamba.inference.scores import label_map_of
from uumamba.inference.sliding_window import predict_logits
from uumamba.inference.voxel_sample import SampleSize, VoxelSample, sample_voxels
from uumamba.losses.segmentation import SegmentationLoss
from uumamba.metrics.overlap import dice

FindRegion = Callable[[NDArray[np.float32], Sequence[float]], Region]
"""Where to look in preprocessed data, (channel, *network axes), on a grid of this spacing (mm)."""


@dataclass(frozen=True)
class PatchValidation:
    """Mean loss over the batches (NaN without any), and Dice per structure over all their voxels.

    A structure that is nowhere labelled has None.
    """

    loss: float
    dice: dict[str, float | None]


def validate_patches(
    network: nn.Module,
    loss: SegmentationLoss,
    batches: Iterable[PatchBatch],
    labels: LabelSet,
    *,
    device: torch.device,
    processes: Processes = ALONE,
) -> PatchValidation:
    """Compare the network with the targets of `batches`, which are as `data/loader.py` makes them.

    This Dice counts voxels of all patches together, of all processes' shares of the batches, and ignores case borders:
    good to see progress, not to report.
    """
    counts = torch.zeros(labels.classes, labels.classes, dtype=torch.float64, device=device)
    losses = torch.zeros(2, dtype=torch.float64, device=device)
    network.eval()
    with torch.inference_mode():
        for batch in batches:
            target = batch["target"][0].to(device)
            logits: Tensor = network(batch["image"].to(device))
            losses += torch.stack([loss([logits], [target]).total.double(), losses.new_ones(())])
            counts += _count(label_map_of(logits, labels, dim=1), target[:, 0].long(), labels)
    network.train()
    counted = processes.sum(counts)
    total, number = processes.sum(losses).tolist()
    return PatchValidation(
        loss=total / number if number else math.nan,
        dice={name: _dice(counted, list(numbers)) for name, numbers in labels.members.items()},
    )


def _count(predicted: Tensor, reference: Tensor, labels: LabelSet) -> Tensor:
    """Voxels by predicted and by true number, (classes, classes), without ignored voxels."""
    if labels.ignore is not None:
        known = reference != labels.ignore
        predicted, reference = predicted[known], reference[known]
    classes = labels.classes
    return torch.bincount((predicted * classes + reference).flatten(), minlength=classes**2).view(classes, classes)


def _dice(counts: Tensor, numbers: list[int]) -> float | None:
    """Dice of the structure that has these numbers, by the voxels of `_count`; None if it is nowhere labelled."""
    predicted, reference = counts[numbers], counts[:, numbers].sum().item()
    both = predicted[:, numbers].sum().item()
    return 2 * both / (predicted.sum().item() + reference) if reference else None


@dataclass(frozen=True)
class CaseValidation:
    """Dice of a whole case per structure, None where there is none.

    If they were asked for, also voxels of it and the predicted label map, (*network axes).
    """

    dice: dict[str, float | None]
    sample: VoxelSample | None = None
    prediction: PackedLabels | None = None


def validate_volumes(
    network: nn.Module,
    store: PreprocessedStore,
    cases: Sequence[str],
    plan: Plan,
    device: torch.device,
    *,
    size: SampleSize | None = None,
    find: FindRegion | None = None,
) -> dict[str, CaseValidation]:
    """Look at whole cases, by name, at the plan's spacing, without mirroring.

    With a `size` so many voxels of each, and its label map, are kept for what is fitted on the validation cases. With
    `find` the network looks into the region of interest alone, as it will at inference: around it all is background,
    and no voxel there, which would have no probability, is kept.

    `uumamba evaluate` compares on the images' own grids, so its numbers differ a little.
    """
    validated = {}
    for case in track(cases, "validate whole volumes", total=len(cases)):
        data, labels = store.read_case(case)
        inside = (slice(None),) * 3 if find is None else find(data, store.record(case).spacing_mm).inside
        seen = torch.from_numpy(data)[:, *inside]
        logits = predict_logits(network, seen, patch_size=plan.patch_size, batch_size=plan.batch_size, device=device)
        predicted = np.zeros(labels.shape[1:], dtype=np.int64)
        predicted[inside] = label_map_of(logits, plan.labels, dim=0).cpu().numpy()
        known = labels[0] != plan.labels.ignore
        scores = {
            name: dice(mask_of(predicted, numbers) & known, mask_of(labels[0], numbers), plan.spacing_mm)
            for name, numbers in plan.labels.members.items()
        }
        if size is None:
            validated[case] = CaseValidation(scores)
        else:
            sample = sample_voxels(logits, labels[0][inside], plan, case=case, size=size)
            validated[case] = CaseValidation(scores, sample, pack_labels(predicted))
    return validated
