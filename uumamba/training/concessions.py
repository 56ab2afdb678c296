"""What a run that is too large for its machine gives up, in order, and how that is said."""

from collections.abc import Callable, Iterator

from pydantic import NonNegativeInt, PositiveInt

from uumamba.core.errors import ConfigError
from uumamba.core.settings import Settings
from uumamba.data.plan import Plan

_LEAST_PATCH = 0.5
"""A patch with less than this share of an axis is another run than the one asked for: whoever wants it must say so."""


class Choice(Settings):
    """What a run's memory depends on: the plan with its patch and micro-batch, and what is added up or computed again.

    A step sees `plan.batch_size` x `accumulate` patches.
    """

    plan: Plan
    accumulate: PositiveInt
    checkpoint_stages: tuple[NonNegativeInt, ...]


def concessions(asked: Choice, replan: Callable[[tuple[int, ...]], Plan]) -> Iterator[Choice]:
    """The run as asked, then smaller and smaller ones; what costs only time goes first, the patch last.

    First activations are computed again instead of kept, from the highest resolution on; then micro-batches shrink to
    one patch while more of them are added up; then the patch. `replan` makes the plan for another patch size.
    """
    yield asked
    choice = asked
    for stage in range(len(asked.plan.topology.features)):
        if stage not in choice.checkpoint_stages:
            stages = tuple(sorted({*choice.checkpoint_stages, stage}))
            choice = choice.model_copy(update={"checkpoint_stages": stages})
            yield choice
    while choice.plan.batch_size > 1:
        choice = _split(choice)
        yield choice
    for plan in _smaller_patches(choice.plan, replan):
        stages = tuple(range(len(plan.topology.features)))
        one = plan.model_copy(update={"batch_size": 1})
        yield choice.model_copy(update={"plan": one, "checkpoint_stages": stages})


def _split(choice: Choice) -> Choice:
    """The same patches per step in smaller micro-batches: halves, or the next smaller equal parts."""
    size = choice.plan.batch_size
    parts = next(number for number in range(2, size + 1) if size % number == 0)
    plan = choice.plan.model_copy(update={"batch_size": size // parts})
    return choice.model_copy(update={"plan": plan, "accumulate": choice.accumulate * parts})


def _smaller_patches(plan: Plan, replan: Callable[[tuple[int, ...]], Plan]) -> Iterator[Plan]:
    """Plans whose patches shrink by the total stride along the axis that sees the largest share of the median image.

    So does nnU-Net's planner, which keeps the field of view in the images' proportions.
    """
    median = plan.median_shape[-plan.spatial_dims :]
    least = [size * _LEAST_PATCH for size in plan.patch_size]
    while True:
        size = plan.patch_size
        for axis in sorted(range(len(size)), key=lambda axis: -size[axis] / median[axis]):
            smaller = size[axis] - plan.topology.total_stride[axis]
            if smaller >= least[axis] and (found := _try(replan, (*size[:axis], smaller, *size[axis + 1 :]))):
                plan = found
                yield plan
                break
        else:
            return


def _try(replan: Callable[[tuple[int, ...]], Plan], size: tuple[int, ...]) -> Plan | None:
    try:
        return replan(size)
    except ConfigError:
        return None


def describe_concessions(asked: Choice, chosen: Choice) -> tuple[str, ...]:
    """What was given up, a sentence each; nothing for the run as asked."""
    given_up = []
    again = [stage for stage in chosen.checkpoint_stages if stage not in asked.checkpoint_stages]
    if again:
        stages = ", ".join(map(str, again))
        given_up.append(f"activations of stages {stages} are computed again, not kept: the same numbers, more time")
    if chosen.accumulate != asked.accumulate:
        size, number = chosen.plan.batch_size, chosen.accumulate
        given_up.append(
            f"batch {asked.plan.batch_size} -> {number} micro-batches of {size}: as many patches in a step, but "
            f"Dice over the batch and the update rule see {size} at a time"
        )
    if chosen.plan.patch_size != asked.plan.patch_size:
        before, after = ("x".join(map(str, choice.plan.patch_size)) for choice in (asked, chosen))
        given_up.append(f"patch {before} -> {after}: less is seen around each voxel")
    return tuple(given_up)
