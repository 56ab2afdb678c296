"""The same voxels under two names."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uumamba.data.case import Case
from uumamba.data.problem import Problem


@dataclass(frozen=True)
class HashedFile:
    """A file of a case and the hash of its voxels."""

    case: Case
    file: Path
    voxels_sha256: str


def hash_voxels(data: NDArray[Any]) -> str:
    """SHA-256 of shape and voxels as float32: the same whatever the file's type, format, compression and header."""
    digest = sha256(str(data.shape).encode())
    for part in np.moveaxis(data, -1, 0):  # slice by slice, because they are copied
        digest.update(np.ascontiguousarray(part.T, dtype=np.float32).data)
    return digest.hexdigest()


def image_duplicates(
    files: Iterable[HashedFile], *, patients_known: bool, one_person: Collection[frozenset[str]] = ()
) -> Iterator[Problem]:
    """Every image after the first of the same voxels.

    It blocks if the two are of two patients, so that one would be learned from and the other tested on, unless the data
    set is known to list this person twice (`one_person`).
    """
    for group in _groups(files):
        first, *others = group
        for other in others:
            what, patients = _same_image(first, other), {first.case.patient, other.case.patient}
            if not patients_known or len(patients) == 1:
                yield Problem(other.file, what, "keep one of them", blocks=False, kind="same_image")
            elif patients in one_person:
                what += ": the data set lists this person twice"
                fix = "nothing to do: folds by patient keep both on one side"
                yield Problem(other.file, what, fix, blocks=False, kind="same_image")
            else:
                names = f"patient {other.case.patient} and not {first.case.patient}"
                what += f", but of {names}: one would be learned from and the other tested on"
                yield Problem(other.file, what, "keep one of them, or name the patient alike", kind="same_image")


def _same_image(first: HashedFile, other: HashedFile) -> str:
    if first.file != other.file:
        return f"the same image as {first.file}"
    if first.case.name == other.case.name:
        return f"the same image in two channels of {other.case.name}"
    return f"the same image in the cases {first.case.name} and {other.case.name}"


def label_duplicates(files: Iterable[HashedFile], images: Iterable[HashedFile]) -> Iterator[Problem]:
    """Every label map after the first of the same voxels, unless their images are the same too."""
    images_of: dict[str, list[str]] = defaultdict(list)
    for file in images:
        images_of[file.case.name].append(file.voxels_sha256)
    for group in _groups(files):
        first, *others = group
        for other in others:
            if not images_of[other.case.name] or images_of[other.case.name] != images_of[first.case.name]:
                what = f"the same label map as {first.file}, whose image is another"
                yield Problem(other.file, what, "give each image its own label map", blocks=False, kind="same_labels")


def _groups(files: Iterable[HashedFile]) -> Iterator[Sequence[HashedFile]]:
    found: dict[str, list[HashedFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (str(file.file), file.case.name)):
        found[file.voxels_sha256].append(file)
    yield from (group for group in found.values() if len(group) > 1)
