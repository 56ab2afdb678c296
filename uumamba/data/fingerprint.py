"""The fingerprint of a training set: what its cases look like, so that other images can be told from them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from uumamba.core.errors import InputError
from uumamba.core.settings import Settings
from uumamba.data.case_features import AXIS_NAMES, INTENSITIES, CaseFeatures, describe_case, structures_of
from uumamba.data.plan import Plan
from uumamba.data.store import PreprocessedStore

CASES_FOR_A_PICTURE = 3
"""A mean picture of fewer cases says nothing of the next one's orientation, and shows too much of each."""
_DECIMALS = 4


class Range(Settings):
    """The lowest and the highest value of the training cases, both included."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Range":
        """The range of some values, one or more."""
        known = list(values)
        return cls(low=min(known), high=max(known))

    def __str__(self) -> str:
        return f"{self.low:.3g}" if self.low == self.high else f"{self.low:.3g} to {self.high:.3g}"


class StructureRange(Settings):
    """One structure in the training cases.

    In how many it is `present`, its volume in those (None if in none), and for each border of the image ("x-" is the
    low end of x) in how many it touches it; borders that it never touches are left out.
    """

    present: int
    volume_ml: Range | None
    borders: dict[str, int]


class Fingerprint(Settings):
    """Ranges over a bundle's training cases; the fields are those of `CaseFeatures`.

    `channels` maps the features named in `INTENSITIES` to their ranges, for each channel. `picture` is the mean of the
    cases' coarse pictures, row by row, and `upright` the range of `uprightness` of each case against the others' mean;
    empty and None with fewer than three cases. `structures` are those of the `labelled` cases, which have a label map
    without ignored voxels (None: all cases are); empty if there are none.
    """

    cases: int
    spacing_mm: tuple[Range, Range, Range]
    size_mm: tuple[Range, Range, Range]
    slices: Range
    channels: tuple[dict[str, Range], ...]
    picture: tuple[float, ...] = ()
    picture_shape: tuple[int, int, int] = (0, 0, 0)
    upright: Range | None = None
    structures: dict[str, StructureRange] = Field(default_factory=dict)
    labelled: int | None = None

    @classmethod
    def of(cls, features: Iterable[CaseFeatures]) -> "Fingerprint":
        """The fingerprint of cases of one plan; raises `InputError` if there is none."""
        cases = list(features)
        if not cases:
            raise InputError("a fingerprint needs at least one training case, got none; name the training cases")
        x, y, z = (Range.of(case.spacing_mm[axis] for case in cases) for axis in range(3))
        along_x, along_y, along_z = (Range.of(case.size_mm[axis] for case in cases) for axis in range(3))
        picture, upright = _mean_picture([case.picture for case in cases])
        first, second, third = picture.shape
        return cls(
            cases=len(cases),
            spacing_mm=(x, y, z),
            size_mm=(along_x, along_y, along_z),
            slices=Range.of(case.slices for case in cases),
            channels=tuple(_intensities(cases, channel) for channel in range(len(cases[0].channels))),
            picture=tuple(picture.round(_DECIMALS).ravel().tolist()),
            picture_shape=(first, second, third),
            upright=upright,
            structures=_structures(cases),
            labelled=sum(case.structures is not None for case in cases),
        )

    @property
    def mean_picture(self) -> NDArray[np.float32] | None:
        """The mean coarse picture; None if there is none."""
        return np.array(self.picture, np.float32).reshape(self.picture_shape) if self.picture else None

    @property
    def in_words(self) -> tuple[str, ...]:
        """What the model was made for, in lines for the model card."""
        spacing, size = (
            ", ".join(f"{axis} {span}" for axis, span in zip(AXIS_NAMES, spans, strict=True))
            for spans in (self.spacing_mm, self.size_mm)
        )
        volumes = (f"{name} {found.volume_ml} ml" for name, found in self.structures.items() if found.volume_ml)
        return (
            f"Measured in {self.cases} training cases; `uumamba infer` flags images that differ.",
            f"Spacing: {spacing} mm.",
            f"Field of view: {size} mm.",
            f"Slices: {self.slices}.",
            f"Volumes: {', '.join(volumes) or 'unknown'}.",
        )


def fingerprint_of_store(store: PreprocessedStore, cases: Sequence[str], plan: Plan) -> Fingerprint:
    """The fingerprint of preprocessed training cases, each read once.

    Raises `InputError` if there is no case, if one cannot be read, or if its record does not tell the image's grid.
    """
    return Fingerprint.of(_stored_features(store, case, plan) for case in cases)


def uprightness(picture: NDArray[np.float32], mean: NDArray[np.float32]) -> float | None:
    """How much more a picture is like `mean` as it is than in its best other orientation, as correlations: -2 to 2.

    The others are all mirrored and turned ones of the axes that are pictured: 7 in 2D, 47 in 3D. None if either picture
    has no contrast.
    """
    as_it_is = _correlation(picture, mean)
    if as_it_is is None:
        return None
    turned = [_correlation(other, mean) for other in _other_orientations(picture)]
    return as_it_is - max(value for value in turned if value is not None)


def _stored_features(store: PreprocessedStore, case: str, plan: Plan) -> CaseFeatures:
    record = store.record(case)
    missing = {"spacing_mm", "shape_before_crop"} - record.geometry.keys()
    if missing:
        raise InputError(
            f"{store.folder / case}: the case's record does not tell the image's {' and '.join(sorted(missing))}, "
            "which a fingerprint needs; delete the case's folder and run `uumamba preprocess` again"
        )
    data, labels = store.read_case(case)
    # Of a structure that is partly left open neither volume nor ends are known.
    is_whole = plan.labels.ignore is None or not np.any(labels[0] == plan.labels.ignore)
    return describe_case(
        data,
        plan,
        spacing_mm=record.geometry["spacing_mm"],
        shape=record.geometry["shape_before_crop"],
        structures=structures_of(labels[0], plan, spacing_mm=record.spacing_mm) if is_whole else None,
    )


def _intensities(cases: Sequence[CaseFeatures], channel: int) -> dict[str, Range]:
    values = {name: [getattr(case.channels[channel], name) for case in cases] for name in INTENSITIES}
    known = {name: [value for value in found if value is not None] for name, found in values.items()}
    return {name: Range.of(found) for name, found in known.items() if found}


def _structures(cases: Sequence[CaseFeatures]) -> dict[str, StructureRange]:
    labelled = [case.structures for case in cases if case.structures is not None]
    names = dict.fromkeys(name for structures in labelled for name in structures)
    ranges = {}
    for name in names:
        found = [structures[name] for structures in labelled if name in structures]
        touched = [border for structure in found for border in structure.borders]
        ranges[name] = StructureRange(
            present=len(found),
            volume_ml=Range.of(structure.volume_ml for structure in found),
            borders={border: touched.count(border) for border in sorted(set(touched))},
        )
    return ranges


def _mean_picture(pictures: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], Range | None]:
    """The mean picture, and how upright each picture is against the mean of the others."""
    if len(pictures) < CASES_FOR_A_PICTURE:
        return np.zeros((0, 0, 0), np.float32), None
    total = np.stack(pictures).sum(axis=0)
    others = [(total - picture) / (len(pictures) - 1) for picture in pictures]
    upright = [uprightness(picture, mean) for picture, mean in zip(pictures, others, strict=True)]
    known = [value for value in upright if value is not None]
    return total / len(pictures), Range.of(known) if known else None


def _other_orientations(picture: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    axes = [axis for axis in range(3) if picture.shape[axis] > 1]
    for order in permutations(axes):
        turned = picture.transpose([axis for axis in range(3) if axis not in axes] + list(order))
        for flips in product((False, True), repeat=len(axes)):
            if any(flips) or list(order) != axes:
                yield np.flip(turned, tuple(axis for axis, flip in zip(axes, flips, strict=True) if flip))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float | None:
    one, other = (array - array.mean() for array in (first, second))
    length = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / length if length > 0 else None
