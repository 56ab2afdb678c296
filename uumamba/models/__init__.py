"""Floor 2: networks."""

from uumamba.models.official import network_from_official
from uumamba.models.topology import Topology, plan_topology
from uumamba.models.umamba import NetworkSettings, UMamba, UMambaSettings

__all__ = ["NetworkSettings", "Topology", "UMamba", "UMambaSettings", "network_from_official", "plan_topology"]
