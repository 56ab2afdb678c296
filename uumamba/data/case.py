"""A case: one image (or several channels of one scene) with its reference label map, and whose it is."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class Case:
    """One scene to learn from or to segment.

    `images` has one file per channel, all on one grid; `label_map` is None where there is no reference. Of files with a
    fourth axis, `frames` says which place there each image has, and `label_frame` that of the label map, from 0.
    `patient` keeps cases of one person together in splits. `details` is what the data set tells beside the images,
    ready for JSON.
    """

    name: str
    patient: str
    images: tuple[Path, ...]
    label_map: Path | None
    details: dict[str, str | float | int | None] = field(default_factory=dict)
    frames: tuple[int, ...] | None = None
    label_frame: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that it is made of, each once."""
        references = () if self.label_map is None else (self.label_map,)
        return tuple(dict.fromkeys((*self.images, *references)))


def require_distinct_names(cases: Iterable[Case]) -> None:
    """Raise an `InputError` if two cases have the same name: their files would overwrite each other."""
    repeated = sorted(name for name, count in Counter(case.name for case in cases).items() if count > 1)
    if repeated:
        raise InputError(f"case names must be distinct, but {', '.join(repeated)} is there more than once; rename")
