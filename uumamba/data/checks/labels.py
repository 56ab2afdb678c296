"""What label maps hold: numbers that are not in the set, nothing, or structures that most of them lack."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uumamba.core.labels import LabelSet
from uumamba.data.foreground import count_numbers
from uumamba.data.problem import Problem

MOSTLY_ABSENT = 0.5
"""A structure that more than this share of the label maps lacks is told: too few examples, or another numbering."""
_MOST_NUMBERS = 8


def count_labels(labels: NDArray[np.integer]) -> dict[int, int]:
    """Number -> voxels of every number in a label map that is not 0."""
    counts = count_numbers(np.moveaxis(labels, -1, 0))  # images lie in memory with their last axis outermost
    return {number: counts[number] for number in sorted(counts) if number != 0}


def label_problems(path: Path, counts: Mapping[int, int], labels: LabelSet) -> Iterator[Problem]:
    """Numbers that are not in the set; or else a label map that holds none of its structures."""
    strange = [number for number in counts if number not in {*range(labels.classes), labels.ignore}]
    if strange:
        names = ", ".join(labels.names) if labels.regions is None else labels.in_words
        allowed = f"0 to {labels.classes - 1} ({names})"
        found = ", ".join(f"{number} ({counts[number]} voxels)" for number in strange[:_MOST_NUMBERS])
        more = f" and {len(strange) - _MOST_NUMBERS} more" if len(strange) > _MOST_NUMBERS else ""
        what = f"labels must be {allowed}, found also {found}{more}"
        yield Problem(path, what, "correct them, or the names and numbers of the data set", kind="labels")
    elif not any(0 < number < labels.classes for number in counts):
        yield Problem(
            path,
            "no voxel of any structure is labelled",
            "draw the structures, or leave the case out, unless the patient has none of them",
            blocks=False,
            kind="empty_labels",
        )


def absent_structures(counted: Sequence[Mapping[int, int]], labels: LabelSet, place: Path) -> Iterator[Problem]:
    """Structures that most label maps lack, and whether there is anything to learn at all.

    `counted` holds `count_labels` of each training case. Label maps without any structure are not counted, they are
    told one by one.
    """
    drawn = [counts for counts in counted if any(0 < number < labels.classes for number in counts)]
    if counted and not drawn:
        what = f"none of the {len(counted)} training cases has a labelled voxel"
        yield Problem(place, what, "give label maps with structures", kind="empty_labels")
    for name, numbers in labels.members.items():
        having = sum(not counts.keys().isdisjoint(numbers) for counts in drawn)
        if drawn and having < (1 - MOSTLY_ABSENT) * len(drawn):
            what = f"{name} (label {'+'.join(map(str, numbers))}) is in {having} of {len(drawn)} label maps"
            learned = "is hardly learned" if having else "cannot be learned"
            fix = f"check names and numbers; a structure this rare {learned}"
            yield Problem(place, what, fix, blocks=False, kind="absent_structure")
