"""What is done to a label map after the network: settings that a bundle keeps, and their application.

Which steps help is chosen on validation cases (`postprocessing_choice.py`); without such a choice nothing is done.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.ndimage import find_objects

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.inference.components import LabelMap, fill_holes, keep_largest, remove_detached, remove_small

Names = Annotated[tuple[str, ...], Field(min_length=1)]
_COUNTING_ERROR = 1e-6
_BYTES_PER_VOXEL = 7
"""The copy, an int32 for the components, and two masks."""


@dataclass(frozen=True)
class Labelled:
    """A label map to change in place, its voxels' size, and for each structure its number and the box that it is in."""

    labels: LabelMap
    spacing_mm: tuple[float, ...]
    numbers: Mapping[str, int]
    boxes: Mapping[str, tuple[slice, ...]]

    def region(self, names: Collection[str], *, margin: int = 0) -> LabelMap:
        """A view of the smallest box that holds these structures, a margin round it; with no voxel if none is there."""
        boxes = [self.boxes[name] for name in names if name in self.boxes]
        if not boxes:
            return self.labels[:0]
        sides = zip(*boxes, strict=True)
        box = [
            slice(max(min(each.start for each in side) - margin, 0), max(each.stop for each in side) + margin)
            for side in sides
        ]
        return self.labels[tuple(box)]

    def present(self, names: Collection[str]) -> list[int]:
        """The numbers of those of these structures that have a voxel."""
        return [self.numbers[name] for name in names if name in self.boxes]

    @property
    def slice_axis(self) -> int | None:
        """The axis across which slices lie: the one of the largest spacing; None if two share it."""
        largest = max(self.spacing_mm)
        axes = [axis for axis, step in enumerate(self.spacing_mm) if step > largest * (1 - 1e-3)]
        return axes[0] if len(axes) == 1 else None


class LargestComponents(Settings):
    """Only the `count` largest components stay, of each structure alone or of all `structures` together as one."""

    name: Literal["largest_components"] = "largest_components"
    structures: Names
    count: PositiveInt = 1
    together: bool = False

    def change(self, case: Labelled) -> None:
        """Take this step."""
        for names in [self.structures] if self.together else [(name,) for name in self.structures]:
            keep_largest(case.region(names), [case.numbers[name] for name in names], count=self.count)

    @property
    def sentence(self) -> str:
        """What is done."""
        largest = "largest component" if self.count == 1 else f"{self.count} largest components"
        verb = "stays" if self.count == 1 else "stay"
        if self.together:
            return f"Only the {largest} of {_listed(self.structures)} taken together {verb}."
        each = "each of " if len(self.structures) > 1 else ""
        return f"Only the {largest} of {each}{_listed(self.structures)} {verb}."


class SmallComponents(Settings):
    """Components of less than `below_ml` are removed."""

    name: Literal["small_components"] = "small_components"
    structures: Names
    below_ml: PositiveFloat

    def change(self, case: Labelled) -> None:
        """Take this step."""
        voxels = self.below_ml / (float(np.prod(case.spacing_mm)) / 1000)
        for name in self.structures:
            remove_small(case.region([name]), case.numbers[name], voxels=voxels * (1 - _COUNTING_ERROR))

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Components of {_listed(self.structures)} of less than {self.below_ml:g} ml are removed."


class Adjacent(Settings):
    """Components that touch none of the structures `to` are removed; all stay in an image that has no voxel of `to`."""

    name: Literal["adjacent"] = "adjacent"
    structures: Names
    to: Names

    def change(self, case: Labelled) -> None:
        """Take this step."""
        for name in self.structures:
            if anchors := case.present(self.to):
                remove_detached(case.region([name], margin=1), case.numbers[name], anchors)

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Components of {_listed(self.structures)} that do not touch {_listed(self.to, 'or')} are removed."


class FillHoles(Settings):
    """Pockets of background that one structure alone encloses become that structure's.

    With `in_slices` pockets are looked for in each slice across the axis of the largest spacing, not in the volume; an
    image in which two axes share the largest spacing is not made of slices, and is taken as a volume.
    """

    name: Literal["fill_holes"] = "fill_holes"
    structures: Names
    in_slices: bool = False

    def change(self, case: Labelled) -> None:
        """Take this step."""
        for name in self.structures:
            axis = case.slice_axis if self.in_slices else None
            fill_holes(case.region([name]), case.numbers[name], slice_axis=axis)

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"Holes in {_listed(self.structures)} are filled{', slice by slice' if self.in_slices else ''}."


Step = Annotated[LargestComponents | SmallComponents | Adjacent | FillHoles, Field(discriminator="name")]


class Postprocessing(Settings):
    """The steps, in order, and the `grounds` on which they were chosen, as sentences with numbers."""

    steps: tuple[Step, ...] = ()
    grounds: tuple[str, ...] = ()

    def apply(self, labels: LabelMap, spacing_mm: Sequence[float], label_set: LabelSet) -> LabelMap:
        """A changed copy of a label map, uint8 (x, y, z), with its spacing; the map itself if there are no steps.

        Removed voxels become background. Raises `ConfigError` as `require_known`, and `InputError` if the label map has
        another type or number of axes.
        """
        self.require_known(label_set)
        if labels.dtype != np.uint8 or labels.ndim != 3 or len(spacing_mm) != 3:
            raise InputError(
                f"post-processing takes a uint8 label map (x, y, z) and three spacings, got {labels.dtype} "
                f"{labels.shape} and {tuple(spacing_mm)}; give one frame of a series at a time"
            )
        if not self.steps:
            return labels
        changed = np.array(labels)
        for step in self.steps:
            step.change(_located(changed, spacing_mm, label_set))
        return changed

    @property
    def bytes_per_voxel(self) -> int:
        """What `apply` takes at most beside its input, result included, but for some 50 MB that do not grow."""
        return _BYTES_PER_VOXEL if self.steps else 0

    def require_known(self, label_set: LabelSet) -> None:
        """Raise `ConfigError` if a step names a structure that the label set lacks, or if that has regions."""
        if self.steps and label_set.regions is not None:
            raise ConfigError(
                f"post-processing: the step {self.steps[0].name} is made for structures of one number each, but the "
                f"model has regions ({label_set.in_words}); leave the steps out"
            )
        for step in self.steps:
            named = (*step.structures, *(step.to if isinstance(step, Adjacent) else ()))
            for unknown in sorted(set(named) - set(label_set.structures)):
                raise ConfigError(
                    f"post-processing: the step {step.name} names the structure {unknown!r}, but the model knows "
                    f"{', '.join(label_set.structures)}; name one of these, or leave the step out"
                )

    def sentences(self) -> tuple[str, ...]:
        """What is done and why, for the log and the model card."""
        return (*(step.sentence for step in self.steps), *self.grounds) or ("None.",)


def _located(labels: LabelMap, spacing_mm: Sequence[float], label_set: LabelSet) -> Labelled:
    numbers = label_set.structures
    found = zip(numbers, find_objects(labels, max_label=len(numbers)), strict=True)
    return Labelled(labels, tuple(spacing_mm), numbers, {name: box for name, box in found if box is not None})


def shared_postprocessing(members: Sequence[Postprocessing]) -> Postprocessing:
    """For an ensemble: the steps that all members take, in the order of the first.

    A step that works on each structure alone is shared for the structures for which all have it. Grounds are kept if
    they are the same.
    """
    first, *others = members
    steps = [_shared(step, others) for step in first.steps]
    same_grounds = all(other.grounds == first.grounds for other in others)
    return Postprocessing(
        steps=tuple(step for step in steps if step is not None), grounds=first.grounds if same_grounds else ()
    )


def _shared(step: Step, others: Sequence[Postprocessing]) -> Step | None:
    """The step for the structures for which all the others take it too."""
    if isinstance(step, LargestComponents) and step.together:
        return step if all(step in other.steps for other in others) else None
    names = step.structures
    for other in others:
        alike = [each for each in other.steps if each.model_copy(update={"structures": step.structures}) == step]
        names = tuple(name for name in names if any(name in each.structures for each in alike))
    return step.model_copy(update={"structures": names}) if names else None


def _listed(names: Sequence[str], last: str = "and") -> str:
    """ "LV", "LV and MYO", "RV, LV and MYO"."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
