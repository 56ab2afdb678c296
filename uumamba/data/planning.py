"""Fingerprint of a data set and the plans that nnU-Net's own planner makes from it (Isensee et al., 2021).

nnU-Net reads no image and writes nothing outside a temporary folder here: our arrays go in, in the order that its
readers would give ((z, y, x) of the canonical orientation), and plans come out. The networks whose memory it estimates
are made without their weights.
"""

import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.data.nnunet_dataset import nnunet_labels
from uumamba.data.nnunet_plans import ORIENTATION_KEY, read_nnunet_plan
from uumamba.data.nonzero import nonzero_bounds, nonzero_mask
from uumamba.data.plan import Plan
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import find_orientation, on_canonical_axes

FOREGROUND_SAMPLES = 100_000_000
"""Foreground voxels that nnU-Net draws from all cases together for the intensity statistics."""

SAMPLES_PER_CASE = 500_000
"""The most that we draw from one case: nnU-Net's share for 200 cases, as ACDC has. More tell nothing new of a case."""


@dataclass(frozen=True)
class CaseFingerprint:
    """What the plans need of one case. Sizes are (z, y, x) of the canonical orientation.

    `shape` is the size after cropping to nonzero voxels, `relative_size` that volume over the whole in (0, 1], and
    `intensities` (channels, samples) float32 foreground intensities, (channels, 0) if nothing is labelled.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    intensities: np.ndarray
    relative_size: float


def samples_per_case(cases: int, total: int = FOREGROUND_SAMPLES) -> int:
    """How many foreground voxels to draw from each of `cases` cases.

    As nnU-Net an equal share of `total`, but at most `SAMPLES_PER_CASE`: nnU-Net draws 100 million, with repeats, from
    the smallest data set too.
    """
    return min(total // cases, SAMPLES_PER_CASE)


def fingerprint_case(images: Sequence[Image], label_map: Image, *, samples: int) -> CaseFingerprint:
    """The fingerprint of one case: one image per channel and the reference, all on one grid, as the caller has checked.

    `samples` foreground voxels are drawn with replacement and a fixed seed, so that all cases weigh the same.
    """
    orientation = find_orientation(images[0].affine)
    channels = [on_canonical_axes(image.data, orientation).T for image in images]
    crop = nonzero_bounds(nonzero_mask(channels))
    box = tuple(slice(*bounds) for bounds in crop)
    labels = on_canonical_axes(label_map.data, orientation).T[box]
    values = _foreground([channel[box] for channel in channels], labels)
    # nnU-Net draws from the foreground in the order of the voxels, whatever the shape of the array around it.
    everywhere = np.ones((1, values.shape[1], 1, 1), np.int8)
    intensities, _ = DatasetFingerprintExtractor.collect_foreground_intensities(
        everywhere, values[:, :, None, None], num_samples=samples
    )
    x, y, z = (images[0].spacing_mm[axis] for axis in orientation.axes)
    return CaseFingerprint(
        shape=labels.shape,
        spacing_mm=(z, y, x),
        intensities=np.asarray(intensities, dtype=np.float32),
        relative_size=labels.size / label_map.data.size,
    )


def _foreground(channels: Sequence[NDArray[Any]], labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Values (channel, voxel) where labels are above 0, in the order of the voxels; slice by slice, to spare memory."""
    found = [np.empty((len(channels), 0), np.float32)]
    for number, part in enumerate(labels):
        inside = part > 0
        if inside.any():
            found.append(np.stack([channel[number][inside] for channel in channels]).astype(np.float32))
    return np.concatenate(found, axis=1)


def plan_dataset(
    cases: Sequence[CaseFingerprint],
    folder: Path,
    *,
    dataset: str,
    labels: LabelSet,
    channels: Sequence[str],
    memory_target_gb: float = 8.0,
) -> dict[str, Plan]:
    """Plans "2d" and "3d_fullres" (the latter only if images have more than one slice) by nnU-Net's default planner.

    Writes nnU-Net's `plans.json`, `dataset_fingerprint.json` and `dataset.json` into `folder`. A channel is clipped and
    standardised as CT if its name is "CT" and standardised per image otherwise. Raises `InputError` if there are no
    labelled voxels or a channel's name is a CT's but not "CT".
    """
    _check_channels(channels)
    fingerprint = _dataset_fingerprint(cases, channels)
    description = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        **nnunet_labels(labels),
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }
    plans = _run_planner(fingerprint, description, f"Dataset001_{dataset}", memory_target_gb)
    write_json(folder / "dataset_fingerprint.json", fingerprint)
    write_json(folder / "dataset.json", description)
    write_json(folder / "plans.json", plans)
    ours = plans | {"dataset_name": dataset, ORIENTATION_KEY: "canonical"}
    return {
        configuration: read_nnunet_plan(ours, configuration, labels=labels, channels=channels, where="nnU-Net's plans")
        for configuration in ("2d", "3d_fullres")
        if configuration in plans["configurations"]
    }


def _check_channels(channels: Sequence[str]) -> None:
    for name in channels:
        if name.casefold().startswith("ct") and name.casefold() != "ct":
            raise InputError(
                f"channel {name!r} would not be normalised as CT, only the exact name 'CT' is; call it 'CT'"
            )


def _dataset_fingerprint(cases: Sequence[CaseFingerprint], channels: Sequence[str]) -> dict[str, Any]:
    """The cases together, as nnU-Net's `dataset_fingerprint.json` holds them."""
    if not any(case.intensities.shape[1] for case in cases):
        raise InputError(
            f"none of the {len(cases)} training cases has a labelled voxel; give label maps with structures"
        )
    return {
        "spacings": [list(case.spacing_mm) for case in cases],
        "shapes_after_crop": [list(case.shape) for case in cases],
        "foreground_intensity_properties_per_channel": {
            str(channel): _statistics(np.concatenate([case.intensities[channel] for case in cases]))
            for channel in range(len(channels))
        },
        "median_relative_size_after_cropping": float(np.median([case.relative_size for case in cases])),
    }


def _statistics(intensities: np.ndarray) -> dict[str, float]:
    low, median, high = np.percentile(intensities, (0.5, 50.0, 99.5))
    values = {
        "mean": np.mean(intensities),
        "median": median,
        "std": np.std(intensities),
        "min": np.min(intensities),
        "max": np.max(intensities),
        "percentile_99_5": high,
        "percentile_00_5": low,
    }
    return {name: float(value) for name, value in values.items()}


def _run_planner(
    fingerprint: dict[str, Any], description: dict[str, Any], name: str, memory_target_gb: float
) -> dict[str, Any]:
    """nnU-Net's plans for a fingerprint; its files live in a temporary folder, its messages are dropped."""
    listed = description | {"dataset": {"case": {"images": ["case.nii.gz"], "label": "case.nii.gz"}}}
    with tempfile.TemporaryDirectory() as temporary, _nnunet_folders(Path(temporary)) as (raw, preprocessed):
        write_json(raw / name / "dataset.json", listed)
        write_json(preprocessed / name / "dataset_fingerprint.json", fingerprint)
        with redirect_stdout(io.StringIO()), torch.device("meta"):
            planner = ExperimentPlanner(name, gpu_memory_target_in_gb=memory_target_gb)
            planner.plan_experiment()
        plans: dict[str, Any] = read_json(preprocessed / name / f"{planner.plans_identifier}.json")
    return plans


@contextmanager
def _nnunet_folders(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Let nnU-Net's environment variables point into `folder`; put the user's back afterwards."""
    raw, preprocessed = folder / "raw", folder / "preprocessed"
    threads = str(torch.get_num_threads())
    ours = {"nnUNet_raw": str(raw), "nnUNet_preprocessed": str(preprocessed), "nnUNet_n_proc_DA": threads}
    before = {key: os.environ.get(key) for key in ours}
    os.environ.update(ours)
    try:
        yield raw, preprocessed
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
