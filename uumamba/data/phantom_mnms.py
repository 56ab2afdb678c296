"""Beating hearts in the layout of M&Ms: series with two labelled frames, and another order of labels than ACDC's."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uumamba.core.files import write_text
from uumamba.core.seeding import derive_generator
from uumamba.data.phantom import PhantomSize, draw_scene, render_frame
from uumamba.data.phantom_heart import Heart, draw_heart
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.imaging.time_axis import TimeAxis

SMALL_MNMS = PhantomSize(voxels=40, spacing_mm=6.0, slice_spacing_mm=20.0)
TABLE_NAME = "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv"

_COLUMNS = (
    "External code",
    "VendorName",
    "Vendor",
    "Centre",
    "ED",
    "ES",
    "Age",
    "Pathology",
    "Sex",
    "Height",
    "Weight",
)
_VENDORS = (("Siemens", "A", 1), ("Philips", "B", 2), ("General Electric", "C", 4), ("Canon", "D", 5))
_PATHOLOGIES = {"DCM": "DCM", "HCM": "HCM", "MINF": "IHD", "NOR": "NOR", "RV": "ARV"}
_NUMBER_OF_ACDCS_LABEL = np.array([0, 3, 2, 1], dtype=np.uint8)
_FRAME_MS = 40.0


@dataclass(frozen=True)
class PhantomCounts:
    """How many patients each folder gets."""

    training: int = 5
    unlabelled: int = 1
    validation: int = 1
    testing: int = 1


FEW = PhantomCounts()


def write_phantom_mnms(
    root: Path,
    *,
    counts: PhantomCounts = FEW,
    frames: int = 6,
    seed: int = 0,
    size: PhantomSize = SMALL_MNMS,
) -> None:
    """Write `Training/{Labeled,Unlabeled}`, `Validation`, `Testing` and the table of patients.

    Each series has `frames` frames; only ED and ES, whose numbers in the table count from 0, hold labels: 1 left
    cavity, 2 myocardium, 3 right cavity. An unlabelled patient has an empty label map, and 0 for both frames in the
    table.
    """
    folders = {
        "Training/Labeled": counts.training,
        "Training/Unlabeled": counts.unlabelled,
        "Validation": counts.validation,
        "Testing": counts.testing,
    }
    rows: list[dict[str, str | int]] = []
    for folder, count in folders.items():
        for _ in range(count):
            rows.append(_write_patient(root / folder, len(rows), frames, seed, size))
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(root / TABLE_NAME, table.getvalue())


def _write_patient(folder: Path, number: int, frames: int, seed: int, size: PhantomSize) -> dict[str, str | int]:
    """Write a patient's two files, and give the row of the table."""
    random = derive_generator(seed, "mnms phantom", number)
    group = sorted(_PATHOLOGIES)[number % len(_PATHOLOGIES)]
    diastole, _, ejection_fraction = draw_heart(group, random)
    first, half = int(random.integers(0, 2)), max(1, frames // 3)
    scene = draw_scene(diastole, size, random)
    hearts = [_beating(diastole, ejection_fraction, (frame - first) % frames, half, frames) for frame in range(frames)]
    images, labels = zip(*(render_frame(heart, scene, random) for heart in hearts), strict=True)
    code = _code(random)
    labelled = {first, first + half} if folder.name != "Unlabeled" else set()
    kept = [_NUMBER_OF_ACDCS_LABEL[each] * (frame in labelled) for frame, each in enumerate(labels)]
    affine = np.diag([-scene.spacing_mm[0], -scene.spacing_mm[1], scene.spacing_mm[2], 1.0])
    series = Image(np.stack(images, axis=3), affine, time=TimeAxis(_FRAME_MS, unit="msec"))
    write_image(folder / code / f"{code}_sa.nii.gz", series, dtype=np.int16)
    write_label_map(folder / code / f"{code}_sa_gt.nii.gz", np.stack(kept, axis=3), like=series)
    vendor, letter, centre = _VENDORS[number % len(_VENDORS)]
    return {
        "External code": code,
        "VendorName": vendor,
        "Vendor": letter,
        "Centre": centre,
        "ED": min(labelled, default=0),
        "ES": max(labelled, default=0),
        "Age": int(random.integers(20, 80)),
        "Pathology": _PATHOLOGIES[group],
        "Sex": "MF"[int(random.integers(2))],
        "Height": int(random.normal(172, 8)),
        "Weight": int(random.normal(76, 11)),
    }


def _beating(diastole: Heart, ejection_fraction: float, since: int, half: int, frames: int) -> Heart:
    """The heart so many frames after ED: contracting for `half` of them, then relaxing."""
    part = since / half if since <= half else (frames - since) / (frames - half)
    done = float(1 - np.cos(np.pi * part)) / 2
    return diastole.contract(
        done * ejection_fraction, shortening=0.25 * done * ejection_fraction, right_shortening=0.4 * done
    )


def _code(random: np.random.Generator) -> str:
    """Letter, digit, letter, digit, letter, digit."""
    pairs = zip(random.integers(26, size=3).tolist(), random.integers(10, size=3).tolist(), strict=True)
    return "".join(f"{chr(ord('A') + letter)}{digit}" for letter, digit in pairs)
