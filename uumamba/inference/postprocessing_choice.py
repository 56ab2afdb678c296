"""Which post-processing helps: chosen on validation cases, and every decision with its numbers.

In the spirit of nnU-Net's `determine_postprocessing` (Isensee et al., 2021): steps are tried one after the other, each
on top of those already kept, and kept for the structures that it helps. Beyond the mean Dice, the 95th percentile of
the Hausdorff distance counts, and a step must help more cases than it harms.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.data.datasets.anatomy import Anatomy, unknown_anatomy
from uumamba.inference.components import LabelMap
from uumamba.inference.postprocessing import (
    Adjacent,
    FillHoles,
    LargestComponents,
    Postprocessing,
    SmallComponents,
    Step,
)
from uumamba.metrics import dice, hausdorff95_mm
from uumamba.metrics.masks import Mask, image_diagonal_mm

DICE_MARGIN = 0.0005
"""A step is kept if it raises the mean Dice by more than this ..."""
HD95_MARGIN_MM = 0.1
"""... or lowers the mean HD95 by more than this, in mm, while no structure's mean Dice falls."""
FRAGMENTS_ML = (0.01, 0.03, 0.1)
"""Volumes below which fragments are tried to be removed; a coronary tree has a few ml."""
NONE_FOR_REGIONS = "None: every step is made for structures of one number each, and these labels have regions."


@dataclass(frozen=True)
class ValidationCase:
    """A predicted label map, not post-processed, and its reference, both (x, y, z), with their spacing."""

    prediction: LabelMap
    reference: NDArray[np.integer]
    spacing_mm: tuple[float, float, float]


class Score(NamedTuple):
    """Dice and HD95 in mm of one structure in one case; both None if it is in neither label map."""

    dice: float | None
    hd95_mm: float | None


class Decision(Settings):
    """A step tried for these structures, and what it did to their mean scores on `cases` validation cases.

    The cases are those with one of the structures in the prediction or the reference; where a step removes a structure
    that the reference lacks, its Dice becomes 1 and its HD95 0. Dice rose in `better` and fell in `worse` cases.
    The scores are None if there is no such case.
    """

    step: Step
    structures: tuple[str, ...]
    kept: bool
    reason: str
    cases: int
    better: int
    worse: int
    dice_before: float | None
    dice_after: float | None
    hd95_before_mm: float | None
    hd95_after_mm: float | None

    @property
    def sentence(self) -> str:
        """The step and its numbers."""
        return f"{self.step.sentence} {'Kept' if self.kept else 'Not kept'}: {self.reason}.{self._numbers}"

    @property
    def _numbers(self) -> str:
        scores = (self.dice_before, self.dice_after, self.hd95_before_mm, self.hd95_after_mm)
        known = [score for score in scores if score is not None]
        if len(known) < len(scores) or not (self.better or self.worse):
            return ""
        return (
            " Dice {:.4f} to {:.4f}, HD95 {:.2f} to {:.2f} mm".format(*known)
            + f" ({self.better} of {self.cases} cases better, {self.worse} worse)."
        )


class Choice(Settings):
    """The post-processing to use, and all `decisions` that led to it on `cases` validation cases, in order."""

    postprocessing: Postprocessing
    decisions: tuple[Decision, ...]
    cases: int


def choose_postprocessing(
    cases: Sequence[Callable[[], ValidationCase]], labels: LabelSet, anatomy: Anatomy | None = None
) -> Choice:
    """Try the steps that the `anatomy` suggests (unknown: `unknown_anatomy`), and keep those that help.

    Each case is a function that reads it; it is called once to begin with and once for each step, so that one case at a
    time is in memory. For regions there are no steps. Raises `InputError` if there is no case, or if one's label maps
    differ in shape.
    """
    if not cases:
        raise InputError("no validation case to choose post-processing on; give at least one, better all of a fold")
    if labels.regions is not None:
        return Choice(postprocessing=Postprocessing(grounds=(NONE_FOR_REGIONS,)), decisions=(), cases=len(cases))
    known = [_scores_of(read(), labels, tuple(labels.structures)) for read in cases]
    kept: tuple[Step, ...] = ()
    decisions: list[Decision] = []
    for step in candidates(labels, anatomy or unknown_anatomy(labels)):
        after = [_scores_with(step, read(), kept, labels, scores) for read, scores in zip(cases, known, strict=True)]
        tried = [_decide(step, names, known, after) for names in _decided_together(step)]
        decisions += tried
        helped = [name for decision in tried if decision.kept for name in decision.structures]
        if helped:
            kept += (step.model_copy(update={"structures": tuple(helped)}),)
            for scores, changed in zip(known, after, strict=True):
                scores.update({name: changed[name] for name in helped})
    grounds = _grounds([decision for decision in decisions if decision.kept], len(cases))
    return Choice(
        postprocessing=Postprocessing(steps=kept, grounds=grounds), decisions=tuple(decisions), cases=len(cases)
    )


def candidates(labels: LabelSet, anatomy: Anatomy) -> Iterator[Step]:
    """The steps worth a try, in the order in which they would be taken.

    A step changes each of its structures without regard to its others, unless it takes them together.
    """
    names = tuple(labels.structures)
    if anatomy.pieces_together is not None and len(names) > 1:
        yield LargestComponents(structures=names, count=anatomy.pieces_together, together=True)
    for below_ml in FRAGMENTS_ML if anatomy.fragments else ():
        yield SmallComponents(structures=anatomy.fragments, below_ml=below_ml)
    for count in sorted(set(anatomy.pieces.values())):
        yield LargestComponents(structures=_with(anatomy.pieces, count), count=count)
    for to in sorted(set(anatomy.touches.values())):
        yield Adjacent(structures=_with(anatomy.touches, to), to=to)
    if anatomy.solid:
        yield FillHoles(structures=anatomy.solid, in_slices=True)
        yield FillHoles(structures=anatomy.solid)


def _with(facts: Mapping[str, object], value: object) -> tuple[str, ...]:
    return tuple(name for name, fact in facts.items() if fact == value)


def _decided_together(step: Step) -> list[tuple[str, ...]]:
    if isinstance(step, LargestComponents) and step.together:
        return [step.structures]
    return [(name,) for name in step.structures]


def _scores_with(
    step: Step, case: ValidationCase, kept: tuple[Step, ...], labels: LabelSet, before: Mapping[str, Score]
) -> dict[str, Score]:
    """Scores of the step's structures after it, given those `before`; what it does not change is not scored again."""
    current = Postprocessing(steps=kept).apply(case.prediction, case.spacing_mm, labels)
    changed = Postprocessing(steps=(step,)).apply(current, case.spacing_mm, labels)
    differs = current != changed
    touched = {*np.unique(current[differs]).tolist(), *np.unique(changed[differs]).tolist()}
    names = tuple(name for name in step.structures if labels.structures[name] in touched)
    after = ValidationCase(changed, case.reference, case.spacing_mm)
    return {**before, **_scores_of(after, labels, names)}


def _scores_of(case: ValidationCase, labels: LabelSet, names: Sequence[str]) -> dict[str, Score]:
    if case.prediction.shape != case.reference.shape:
        raise InputError(
            f"prediction and reference must lie on one grid, got {case.prediction.shape} and {case.reference.shape}; "
            "predict the validation cases again"
        )
    prediction, reference = case.prediction, case.reference
    if labels.ignore is not None:
        prediction, reference = (np.where(case.reference == labels.ignore, 0, each) for each in (prediction, reference))
    numbers = labels.structures
    return {name: _score(prediction == numbers[name], reference == numbers[name], case.spacing_mm) for name in names}


def _score(prediction: Mask, reference: Mask, spacing_mm: Sequence[float]) -> Score:
    """As evaluation does it: an axis of a single voxel has no surface, the image is compared as the 2D image it is."""
    if 1 in prediction.shape:
        flat = prediction.shape.index(1)
        prediction, reference = prediction.squeeze(flat), reference.squeeze(flat)
        spacing_mm = [step for axis, step in enumerate(spacing_mm) if axis != flat]
    if not prediction.any() and not reference.any():
        return Score(None, None)
    if not prediction.any() or not reference.any():
        return Score(0.0, image_diagonal_mm(prediction.shape, spacing_mm))
    return Score(dice(prediction, reference, spacing_mm), hausdorff95_mm(prediction, reference, spacing_mm))


def _decide(
    step: Step, names: tuple[str, ...], known: Sequence[Mapping[str, Score]], after: Sequence[Mapping[str, Score]]
) -> Decision:
    """Whether the step helps these structures, which are changed by it together or not at all."""
    means = [each for each in (_means(name, known, after) for name in names) if each is not None]
    pairs = [_case_dice(names, *case) for case in zip(known, after, strict=True)]
    there = [pair for pair in pairs if pair is not None]
    better, worse = sum(b > a for a, b in there), sum(b < a for a, b in there)
    dice_before, dice_after, hd95_before, hd95_after = (
        [fmean(column) for column in zip(*means, strict=True)] if means else [None] * 4
    )
    kept, reason = _verdict(means, better, worse)
    return Decision(
        step=step.model_copy(update={"structures": names}),
        structures=names,
        kept=kept,
        reason=reason,
        cases=len(there),
        better=better,
        worse=worse,
        dice_before=dice_before,
        dice_after=dice_after,
        hd95_before_mm=hd95_before,
        hd95_after_mm=hd95_after,
    )


def _means(
    name: str, known: Sequence[Mapping[str, Score]], after: Sequence[Mapping[str, Score]]
) -> tuple[float, float, float, float] | None:
    """Mean Dice before and after, mean HD95 before and after, over the cases that have this structure."""
    pairs = [(old[name], new[name]) for old, new in zip(known, after, strict=True) if old[name].dice is not None]
    if not pairs:
        return None
    rows = [(old.dice, _or_best(new).dice, old.hd95_mm, _or_best(new).hd95_mm) for old, new in pairs]
    dice_before, dice_after, hd95_before, hd95_after = (
        fmean(value for value in column if value is not None) for column in zip(*rows, strict=True)
    )
    return dice_before, dice_after, hd95_before, hd95_after


def _or_best(score: Score) -> Score:
    """A structure that was in the prediction alone and is gone: nothing could be better."""
    return Score(1.0, 0.0) if score.dice is None else score


def _case_dice(names: Sequence[str], old: Mapping[str, Score], new: Mapping[str, Score]) -> tuple[float, float] | None:
    """One case's mean Dice over those of the structures that it has, before and after."""
    pairs = [(old[name].dice, _or_best(new[name]).dice) for name in names]
    there = [(before, after) for before, after in pairs if before is not None and after is not None]
    return (fmean(before for before, _ in there), fmean(after for _, after in there)) if there else None


def _verdict(means: Sequence[tuple[float, float, float, float]], better: int, worse: int) -> tuple[bool, str]:
    """Whether to keep a step, and why, by each structure's mean Dice before and after, and HD95 before and after."""
    if not means:
        return False, "no case has it"
    if not (better or worse):
        return False, "it changes nothing"
    if any(dice_after < dice_before for dice_before, dice_after, _, _ in means):
        return False, "the mean Dice falls"
    if better <= worse:
        return False, "it helps no more cases than it harms"
    if fmean(after - before for before, after, _, _ in means) > DICE_MARGIN:
        return True, "the mean Dice rises"
    if fmean(before - after for _, _, before, after in means) > HD95_MARGIN_MM:
        return True, "the mean HD95 falls"
    return False, f"it gains no more than {DICE_MARGIN:g} Dice and {HD95_MARGIN_MM:g} mm HD95"


def _grounds(kept: Sequence[Decision], cases: int) -> tuple[str, ...]:
    if not kept:
        return ()
    return (
        f"Chosen on {cases} validation cases; the numbers are of these cases, so they flatter the choice a little.",
        *(decision.sentence for decision in kept),
    )
