"""A machine whose memory and time follow a formula."""

import math

from uumamba.training.concessions import Choice
from uumamba.training.step_cost import StepCost

PROGRAM = 5_000_000


def memory(choice: Choice) -> int:
    """The program, three copies of the weights, and what is kept of each stage of each patch."""
    topology, batch = choice.plan.topology, choice.plan.batch_size
    weights = 4 * sum(9 * features**2 for features in topology.features)
    kept = 0
    for stage, (shape, features) in enumerate(zip(topology.feature_maps, topology.features, strict=True)):
        kept += math.prod(shape) * features * (4 if stage in choice.checkpoint_stages else 80)
    return PROGRAM + weights * (4 if choice.accumulate > 1 else 3) + batch * kept


def cost(choice: Choice, *, seconds_per_voxel: float = 1e-7) -> StepCost:
    """The formula's cost of a step."""
    seconds = seconds_per_voxel * choice.plan.batch_size * math.prod(choice.plan.patch_size)
    return StepCost(seconds, seconds / 6, memory(choice), PROGRAM)
