"""A run's own wishes on top of the planner's plan: a smaller patch, fewer features."""

from typing import Literal

from pydantic import PositiveInt

from uumamba.core.settings import Settings
from uumamba.data.plan import Plan
from uumamba.models.topology import Topology, plan_topology

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
        changes: dict[str, object] = {} if self.batch_size is None else {"batch_size": self.batch_size}
        if any(
            value is not None
            for value in (self.patch_size, self.base_features, self.max_features, self.max_stages, self.blocks)
        ):
            topology = self._topology(plan)
            changes |= {name: getattr(topology, name) for name in Topology.__dataclass_fields__}
        return plan.model_copy(update=changes)

    def _topology(self, plan: Plan) -> Topology:
        return plan_topology(
            self.patch_size or plan.patch_size,
            plan.spacing_mm[-plan.spatial_dims :],
            base_features=self.base_features or plan.features[0],
            max_features=self.max_features or _MAX_FEATURES[plan.spatial_dims],
            max_stages=self.max_stages,
            blocks=self.blocks or plan.blocks_encoder[0],
        )
