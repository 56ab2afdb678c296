"""A small 2D choice and its smaller patches, and ACDC's 3D one."""

from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan
from uumamba.models.topology import plan_topology
from uumamba.training.adapted_plan import PlanSettings
from uumamba.training.concessions import Choice

_STATISTICS = IntensityStatistics(mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2)
_CHANNEL = Channel(name="MRI", normalization="z-score", mask_for_normalization=False, statistics=_STATISTICS)


def plan_2d(patch: tuple[int, ...] = (64, 64), *, batch: int = 8, features: int = 4) -> Plan:
    """A plan of a small network."""
    return Plan(
        dataset="acdc",
        configuration="2d",
        labels=LabelSet(names=("background", "RV", "MYO", "LV")),
        channels=(_CHANNEL,),
        axes=(2, 1, 0),
        spacing_mm=(5.0, 1.5, 1.5),
        median_shape=(18, 70, 60),
        batch_size=batch,
        batch_dice=True,
        topology=plan_topology(patch, (1.5, 1.5), base_features=features, max_features=16, max_stages=3, blocks=1),
    )


def choice_2d(patch: tuple[int, ...] = (64, 64), *, batch: int = 8, accumulate: int = 1) -> Choice:
    """A choice that is quick to measure."""
    return Choice(plan=plan_2d(patch, batch=batch), accumulate=accumulate, checkpoint_stages=())


def replan_2d(patch: tuple[int, ...]) -> Plan:
    """The plan of `plan_2d` for another patch."""
    return PlanSettings(configuration="2d", patch_size=patch, max_stages=3, max_features=16).adapt(plan_2d())


def choice_3d() -> Choice:
    """ACDC's 3d_fullres plan."""
    topology = Topology(
        patch_size=(20, 256, 224),
        features=(32, 64, 128, 256, 320, 320),
        kernels=((1, 3, 3), *[(3, 3, 3)] * 5),
        strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2)),
        blocks_encoder=(2,) * 6,
        blocks_decoder=(2,) * 5,
    )
    update = {
        "configuration": "3d_fullres", "spacing_mm": (5.0, 1.5625, 1.5625), "median_shape": (18, 237, 208),
        "batch_size": 6, "batch_dice": False, "topology": topology,
    }  # fmt: skip
    return Choice(plan=plan_2d().model_copy(update=update), accumulate=1, checkpoint_stages=())


def replan_3d(patch: tuple[int, ...]) -> Plan:
    """The plan of `choice_3d` for another patch."""
    return PlanSettings(patch_size=patch).adapt(choice_3d().plan)
