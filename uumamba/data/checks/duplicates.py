"""The same voxels under two names."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    """SHA-256 of shape, type and voxels: the same whatever the file's format, compression and header."""
    digest = sha256(f"{data.shape} {data.dtype.str}".encode())
    digest.update(np.ascontiguousarray(data.T).data)  # a NIfTI's voxels lie so already
    return digest.hexdigest()


def image_duplicates(files: Iterable[HashedFile], *, patients_known: bool) -> Iterator[Problem]:
    """Every image after the first of the same voxels; it blocks if the two are of two patients, and so a leak."""
    for group in _groups(files):
        first, *others = group
        for other in others:
            if patients_known and other.case.patient != first.case.patient:
                what = (
                    f"the same image as {first.file}, but of patient {other.case.patient} and not "
                    f"{first.case.patient}: it would be learned and tested on"
                )
                yield Problem(other.file, what, "keep one of them, or name the patient alike", kind="same_image")
            else:
                what = f"the same image as {first.file}"
                yield Problem(other.file, what, "keep one of them", blocks=False, kind="same_image")


def label_duplicates(files: Iterable[HashedFile], images: Iterable[HashedFile]) -> Iterator[Problem]:
    """Every label map after the first of the same voxels, unless their images are the same too."""
    image_of = {file.case.images: file.voxels_sha256 for file in images}
    for group in _groups(files):
        first, *others = group
        for other in others:
            if image_of.get(other.case.images, "") != image_of.get(first.case.images, "another"):
                what = f"the same label map as {first.file}, whose image is another"
                yield Problem(other.file, what, "give each image its own label map", blocks=False, kind="same_labels")


def _groups(files: Iterable[HashedFile]) -> Iterator[Sequence[HashedFile]]:
    found: dict[str, list[HashedFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (str(file.file), file.case.name)):
        found[file.voxels_sha256].append(file)
    yield from (group for group in found.values() if len(group) > 1)
