"""A plan's network."""

from collections.abc import Collection

from torch import nn

from uumamba.data.plan import Plan
from uumamba.models.networks import NetworkSettings
from uumamba.scan import ScanBackend


def network_of(
    plan: Plan,
    settings: NetworkSettings,
    *,
    deep_supervision: bool,
    scan_backend: ScanBackend = "auto",
    checkpoint_stages: Collection[int] = (),
) -> nn.Module:
    """The network that `settings` build for `plan`, freshly initialised from torch's random state."""
    return settings.build(
        plan.topology,
        input_channels=len(plan.channels),
        classes=plan.labels.outputs,
        deep_supervision=deep_supervision,
        scan_backend=scan_backend,
        checkpoint_stages=checkpoint_stages,
    )
