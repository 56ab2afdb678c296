"""What only all cases together tell."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from uumamba.core.labels import LabelSet
from uumamba.data.checks.duplicates import HashedFile, image_duplicates, label_duplicates
from uumamba.data.checks.facts import CaseFacts, ImageFacts
from uumamba.data.checks.geometry import orientation_problems, spacing_problems
from uumamba.data.checks.intensities import range_problems
from uumamba.data.checks.labels import absent_structures
from uumamba.data.problem import Problem


def duplicate_problems(
    facts: Sequence[CaseFacts], *, patients_known: bool, one_person: Collection[frozenset[str]]
) -> Iterator[Problem]:
    """Images and label maps that are there twice; images of one value and label maps without labels all look alike."""
    images = [
        HashedFile(of_case.case, path, image.voxels_sha256)
        for of_case in facts
        for path, image in _images(of_case)
        if image.intensities.lowest < image.intensities.highest
    ]
    labels = [
        HashedFile(of_case.case, of_case.case.label_map, of_case.labels_sha256)
        for of_case in facts
        if of_case.label_counts and of_case.labels_sha256 is not None and of_case.case.label_map is not None
    ]
    yield from image_duplicates(images, patients_known=patients_known, one_person=one_person)
    yield from label_duplicates(labels, images)


def unusual_cases(facts: Sequence[CaseFacts], channels: int) -> Iterator[Problem]:
    """Images whose grid or intensities are far from those of nearly all other cases."""
    first = [(path, image) for of_case in facts for path, image in _images(of_case)[:1]]
    yield from spacing_problems([(path, image.spacing_mm) for path, image in first])
    yield from orientation_problems([(path, image.axes) for path, image in first])
    told = {problem.file for of_case in facts for problem in of_case.problems if problem.severity == "warning"}
    for channel in range(channels):
        of_channel = [
            (of_case.case.images[channel], image)
            for of_case in facts
            if channel < len(of_case.images) and (image := of_case.images[channel]) is not None
        ]
        ranges = [(path, image.intensities) for path, image in of_channel if path not in told]
        yield from range_problems(ranges)


def structure_problems(facts: Sequence[CaseFacts], labels: LabelSet, place: Path) -> Iterator[Problem]:
    """Structures that the training cases lack."""
    counted = [of_case.label_counts for of_case in facts if of_case.label_counts is not None]
    yield from absent_structures(counted, labels, place)


def _images(facts: CaseFacts) -> list[tuple[Path, ImageFacts]]:
    pairs = zip(facts.case.images, facts.images, strict=True)
    return [(path, image) for path, image in pairs if image is not None]
