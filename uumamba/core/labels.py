"""Names and numbers of the structures in a label map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from uumamba.core.errors import InputError
from uumamba.core.settings import Settings


class LabelSet(Settings):
    """The structures of a label map: a name for each, background first.

    Numbers are consecutive from 0, as networks and nnU-Net need them. Without `regions` each structure is one number,
    its place in `names`. With `regions` a structure is all voxels that have one of several numbers, and structures may
    overlap: `regions` has the numbers of each, in the order of the names, and `written` the one number of each that is
    written where a network finds it, one region after the other, so that the later lie on top (nnU-Net's
    `regions_class_order`). Voxels numbered `ignore` (optional, behind the last number) take part in no loss and no
    metric.
    """

    names: tuple[str, ...]
    ignore: int | None = None
    regions: tuple[tuple[int, ...], ...] | None = None
    written: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "LabelSet":
        if len(self.names) < 2 or self.names[0] != "background" or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"label names must be distinct, begin with 'background' and name a structure: {self.names}"
            )
        if self.regions is not None:
            _check_regions(self.names[1:], self.regions, self.written)
        elif self.written:
            raise ValueError(f"written {self.written} is for regions, and these labels have none; leave it out")
        if self.ignore is not None and self.ignore < self.classes:
            raise ValueError(f"the ignore label {self.ignore} must lie behind the last structure {self.classes - 1}")
        return self

    @model_serializer(mode="wrap")
    def _as_ever(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Labels without regions are kept as they always were, so that hashes of them do not change."""
        content: dict[str, Any] = dump(self)
        if self.regions is None:
            del content["regions"], content["written"]
        return content

    @property
    def classes(self) -> int:
        """How many numbers a label map may hold, background included, the ignore label not: 0 to `classes` - 1."""
        return len(self.names) if self.regions is None else 1 + max(map(max, self.regions))

    @property
    def outputs(self) -> int:
        """Number of network outputs: one for each number, background included, or one for each region."""
        return len(self.names) if self.regions is None else len(self.regions)

    @property
    def members(self) -> dict[str, tuple[int, ...]]:
        """Name -> the numbers whose voxels together are the structure, without background and ignore label."""
        if self.regions is None:
            return {name: (number,) for name, number in self.structures.items()}
        return dict(zip(self.names[1:], self.regions, strict=True))

    @property
    def output_of(self) -> dict[str, int]:
        """Name -> the network output that stands for the structure."""
        first = 1 if self.regions is None else 0
        return {name: place for place, name in enumerate(self.names[1:], first)}

    @property
    def structures(self) -> dict[str, int]:
        """Name -> number, without background and ignore label; `InputError` for regions, which have several each."""
        if self.regions is not None:
            raise InputError(
                f"these labels have regions ({self.in_words}), and what was asked for is made for structures of one "
                "number each; give labels without regions"
            )
        return {name: number for number, name in enumerate(self.names) if number > 0}

    @property
    def in_words(self) -> str:
        """The structures with their numbers, for people: "1 RV, 2 MYO", or "1+2 heart, 2 MYO"."""
        return ", ".join(f"{'+'.join(map(str, numbers))} {name}" for name, numbers in self.members.items())

    @property
    def painted(self) -> "LabelSet":
        """The same names as structures of one number each, as `paint` numbers them."""
        return LabelSet(names=self.names)

    def paint(self, label_map: NDArray[np.integer]) -> NDArray[np.uint8]:
        """A label map, for pictures, in which each structure has its place in `names` as its number.

        Where structures share voxels the later name lies on top; whatever else there is becomes background.
        """
        result = np.zeros(label_map.shape, dtype=np.uint8)
        for place, numbers in enumerate(self.members.values(), 1):
            result[mask_of(label_map, numbers)] = place
        return result


def mask_of(label_map: NDArray[np.integer], numbers: Sequence[int]) -> NDArray[np.bool_]:
    """The voxels that have one of these numbers."""
    mask: NDArray[np.bool_] = label_map == numbers[0] if len(numbers) == 1 else np.isin(label_map, numbers)
    return mask


def _check_regions(names: Sequence[str], regions: Sequence[Sequence[int]], written: Sequence[int]) -> None:
    """Raise `ValueError` unless these are regions that a label map can hold."""
    if not len(names) == len(regions) == len(written):
        raise ValueError(
            f"{len(names)} regions ({', '.join(names)}) need as many lists of numbers and as many written numbers, got "
            f"{len(regions)} and {len(written)}"
        )
    found = sorted({number for region in regions for number in region})
    if found != list(range(1, len(found) + 1)) or not all(regions):
        raise ValueError(f"the numbers of all regions together must be 1, 2, ... without gap, got {found}")
    if len(found) == sum(map(len, regions)) == len(regions):
        raise ValueError("regions have several numbers, here each has one; give names alone")
    for place, (name, region, number) in enumerate(zip(names, regions, written, strict=True)):
        if number not in region:
            raise ValueError(f"region {name} has the numbers {list(region)} and must write one of them, not {number}")
        for other, before in zip(names[:place], regions, strict=False):
            if set(before) <= set(region):
                raise ValueError(
                    f"region {name} {list(region)} is written after {other} {list(before)} and would hide it all; "
                    "name the larger region first"
                )
