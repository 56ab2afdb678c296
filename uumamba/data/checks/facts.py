"""What the checks across cases need of one case: small enough to keep for a thousand of them."""

from dataclasses import dataclass

import numpy as np

from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.checks.duplicates import hash_voxels
from uumamba.data.checks.geometry import axis_codes, canonical_spacing_mm
from uumamba.data.checks.intensities import Intensities, measure_intensities, value_problems
from uumamba.data.checks.reading import ReadCase, read_case
from uumamba.data.nonzero import nonzero_bounds, nonzero_mask
from uumamba.data.problem import Problem
from uumamba.imaging.image import Image

LOST_SHARE = 0.01
"""Labelled voxels in the blank border of an image are told from this share on; the crop of preprocessing loses them."""


@dataclass(frozen=True)
class ImageFacts:
    """One image that could be read: `axes` as in `axis_codes`, spacing along the canonical axes."""

    intensities: Intensities
    spacing_mm: tuple[float, float, float]
    axes: str
    voxels_sha256: str


@dataclass(frozen=True)
class CaseFacts:
    """One case: None where a file could not be read or is not there.

    `label_counts` is number -> voxels, background left out; `problems` all that is wrong with the case by itself.
    """

    case: Case
    images: tuple[ImageFacts | None, ...]
    label_counts: dict[int, int] | None
    labels_sha256: str | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class CaseCheck:
    """How cases are checked: with which labels and channels, if they are known, and whether they need a reference."""

    labels: LabelSet | None = None
    channels: tuple[str, ...] | None = None
    reference_required: bool = True
    max_dimensions: int = 3

    def __call__(self, case: Case) -> CaseFacts:
        """Read a case, and check it by itself."""
        read = read_case(
            case,
            self.labels,
            reference_required=self.reference_required,
            max_dimensions=self.max_dimensions,
        )
        images = tuple(None if image is None else _image_facts(image) for image in read.images)
        problems = [*read.problems, *_lost_labels(case, read)]
        names = self.channels or (None,) * len(images)
        for path, facts, name in zip(case.images, images, names, strict=True):
            if facts is not None:
                problems += value_problems(path, facts.intensities, name)
        labels_sha256 = None if read.label_map is None else hash_voxels(read.label_map.data)
        return CaseFacts(case, images, read.label_counts, labels_sha256, tuple(problems))


def _image_facts(image: Image) -> ImageFacts:
    return ImageFacts(
        measure_intensities(image.data),
        canonical_spacing_mm(image),
        axis_codes(image.affine),
        hash_voxels(image.data),
    )


def _lost_labels(case: Case, read: ReadCase) -> list[Problem]:
    """Labelled voxels outside the box around what any channel shows, to which preprocessing crops."""
    images = [image for image in read.images if image is not None and image.data.ndim == 3]
    if read.label_map is None or case.label_map is None or read.blocks or not images or not read.label_counts:
        return []
    box = tuple(slice(*bounds) for bounds in nonzero_bounds(nonzero_mask([image.data for image in images])))
    total = sum(read.label_counts.values())
    lost = total - int(np.count_nonzero(read.label_map.data[box]))
    if lost < LOST_SHARE * total or all(np.ptp(image.data) == 0 for image in images):
        return []
    what = f"{lost} of {total} labelled voxels lie where the image is blank (0), outside of what it shows"
    fix = "look at both in a viewer: the image was cut or masked more tightly than the labels, or one is shifted"
    return [Problem(case.label_map, what, fix, blocks=False, kind="outside_image")]
