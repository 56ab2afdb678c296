"""A plan's network."""

from torch import nn

from uumamba.data.plan import Plan
from uumamba.models.umamba import NetworkSettings


def network_of(plan: Plan, settings: NetworkSettings, *, deep_supervision: bool) -> nn.Module:
    """The network that `settings` build for `plan`, freshly initialised from torch's random state."""
    return settings.build(
        plan.topology,
        input_channels=len(plan.channels),
        classes=plan.labels.classes,
        deep_supervision=deep_supervision,
    )
