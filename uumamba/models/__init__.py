"""Floor 2: networks."""

from uumamba.models.networks import NetworkSettings
from uumamba.models.official import network_from_official
from uumamba.models.topology import plan_topology
from uumamba.models.umamba import UMamba, UMambaSettings

__all__ = ["NetworkSettings", "UMamba", "UMambaSettings", "network_from_official", "plan_topology"]
