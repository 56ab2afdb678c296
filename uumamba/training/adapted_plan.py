"""A run's own wishes on top of the planner's plan: a smaller patch, fewer features."""

from typing import Literal

from pydantic import PositiveInt

from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.data.plan import Plan
from uumamba.models.topology import plan_topology

_MAX_FEATURES = {2: 512, 3: 320}


class PlanSettings(Settings):
    """Which plan a run uses and what it changes in it; what is left out stays as nnU-Net's planner chose it.

    `patch_size` is in network axis order (slices first). A change of patch or of a feature setting makes the stages,
    strides and kernels anew by nnU-Net's rule (`models/topology.py`).
    """

    configuration: Literal["2d", "3d_fullres"] = "3d_fullres"
    patch_size: tuple[PositiveInt, ...] | None = None
    batch_size: PositiveInt | None = None
    base_features: PositiveInt | None = None
    max_features: PositiveInt | None = None
    max_stages: PositiveInt | None = None
    blocks: PositiveInt | None = None

    def adapt(self, plan: Plan) -> Plan:
        """The plan with these wishes; raises `ConfigError` if the patch size fits no network."""
        batch_size = self.batch_size or plan.batch_size
        return plan.model_copy(update={"batch_size": batch_size, "topology": self._topology(plan)})

    def _topology(self, plan: Plan) -> Topology:
        wishes = (self.patch_size, self.base_features, self.max_features, self.max_stages, self.blocks)
        if all(wish is None for wish in wishes):
            return plan.topology
        return plan_topology(
            self.patch_size or plan.patch_size,
            plan.spacing_mm[-plan.spatial_dims :],
            base_features=self.base_features or plan.topology.features[0],
            max_features=self.max_features or _MAX_FEATURES[plan.spatial_dims],
            max_stages=self.max_stages,
            blocks=self.blocks or plan.topology.blocks_encoder[0],
        )
