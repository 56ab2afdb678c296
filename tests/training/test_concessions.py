import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.fakes.choice import choice_2d, choice_3d, replan_2d, replan_3d
from uumamba.data.plan import Plan
from uumamba.training.concessions import Choice, concessions, describe_concessions

Replan = Callable[[tuple[int, ...]], Plan]
BOTH = pytest.mark.parametrize(("asked", "replan"), [(choice_2d(), replan_2d), (choice_3d(), replan_3d)])


def voxels(choice: Choice) -> int:
    return math.prod(choice.plan.patch_size)


@BOTH
def test_the_order_is_time_then_the_batchs_parts_then_the_patch(asked: Choice, replan: Replan) -> None:
    choices = list(concessions(asked, replan))
    assert choices[0] == asked
    stages = len(asked.plan.topology.features)
    assert [choice.checkpoint_stages for choice in choices[: stages + 1]] == [
        tuple(range(n)) for n in range(stages + 1)
    ]
    for before, after in pairwise(choices):
        assert voxels(after) <= voxels(before)
        assert after.plan.batch_size <= before.plan.batch_size
        if voxels(after) < voxels(before):
            assert before.plan.batch_size == after.plan.batch_size == 1
        if after.plan.batch_size < before.plan.batch_size:
            assert len(before.checkpoint_stages) == stages
    assert voxels(choices[-1]) < voxels(asked)


@BOTH
def test_a_step_always_sees_as_many_patches_as_were_asked_for(asked: Choice, replan: Replan) -> None:
    for choice in concessions(asked, replan):
        assert choice.plan.batch_size * choice.accumulate == asked.plan.batch_size


def test_what_is_accumulated_already_is_kept_and_odd_batches_are_split_evenly() -> None:
    asked = choice_2d(batch=6, accumulate=2)
    sizes = [(choice.plan.batch_size, choice.accumulate) for choice in concessions(asked, replan_2d)]
    assert list(dict.fromkeys(sizes)) == [(6, 2), (3, 4), (1, 12)]


@BOTH
def test_smaller_patches_fit_their_network_and_keep_half_of_each_axis(asked: Choice, replan: Replan) -> None:
    for choice in concessions(asked, replan):
        topology = choice.plan.topology
        steps = zip(topology.patch_size, topology.total_stride, asked.plan.patch_size, strict=True)
        assert all(size % step == 0 and 2 * size >= before for size, step, before in steps)
        assert max(choice.checkpoint_stages, default=0) < len(topology.features)


def test_the_patch_shrinks_along_the_axis_that_sees_most_of_the_image() -> None:
    patches = [choice.plan.patch_size for choice in concessions(choice_3d(), replan_3d)]
    assert list(dict.fromkeys(patches))[:4] == [(20, 256, 224), (16, 256, 224), (16, 224, 224), (16, 224, 192)]


def test_stages_that_the_user_recomputes_are_not_given_up_again() -> None:
    asked = choice_2d().model_copy(update={"checkpoint_stages": (1,)})
    choices = list(concessions(asked, replan_2d))
    assert [choice.checkpoint_stages for choice in choices[:3]] == [(1,), (0, 1), (0, 1, 2)]
    assert describe_concessions(asked, choices[1])[0].startswith("activations of stages 0 are computed again")


def test_every_concession_is_a_sentence() -> None:
    *_, last = concessions(choice_2d(), replan_2d)
    given_up = describe_concessions(choice_2d(), last)
    assert describe_concessions(choice_2d(), choice_2d()) == ()
    assert given_up[0] == "activations of stages 0, 1, 2 are computed again, not kept: the same numbers, more time"
    assert given_up[1].startswith("batch 8 -> 8 micro-batches of 1: as many patches in a step, but Dice over the batch")
    assert given_up[2] == "patch 64x64 -> 32x32: less is seen around each voxel"
