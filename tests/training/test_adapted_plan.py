import pytest

from uumamba.core.errors import ConfigError
from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan
from uumamba.training.adapted_plan import PlanSettings


@pytest.fixture
def plan() -> Plan:
    """ACDC's 3d_fullres plan."""
    statistics = IntensityStatistics(mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2)
    return Plan(
        dataset="acdc",
        configuration="3d_fullres",
        labels=LabelSet(names=("background", "RV", "MYO", "LV")),
        channels=(Channel(name="MRI", normalization="z-score", mask_for_normalization=False, statistics=statistics),),
        axes=(2, 1, 0),
        spacing_mm=(5.0, 1.5625, 1.5625),
        median_shape=(18, 237, 208),
        batch_size=4,
        batch_dice=False,
        topology=Topology(
            patch_size=(20, 256, 224),
            features=(32, 64, 128, 256, 320, 320),
            kernels=((1, 3, 3), *[(3, 3, 3)] * 5),
            strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2)),
            blocks_encoder=(2,) * 6,
            blocks_decoder=(2,) * 5,
        ),
    )


def test_no_wish_leaves_the_plan_as_it_is(plan: Plan) -> None:
    assert PlanSettings().adapt(plan) == plan


def test_the_planners_own_choices_give_the_planners_topology(plan: Plan) -> None:
    assert PlanSettings(patch_size=(20, 256, 224)).adapt(plan) == plan


def test_a_batch_size_changes_nothing_else(plan: Plan) -> None:
    assert PlanSettings(batch_size=1).adapt(plan) == plan.model_copy(update={"batch_size": 1})


def test_a_smaller_network(plan: Plan) -> None:
    small = PlanSettings(patch_size=(8, 64, 64), base_features=8, max_features=32, max_stages=4, blocks=1).adapt(plan)
    assert small.patch_size == (8, 64, 64)
    assert small.topology.features == (8, 16, 32, 32)
    assert small.topology.blocks_encoder == (1, 1, 1, 1)
    assert small.topology.blocks_decoder == (1, 1, 1)


def test_a_patch_that_fits_no_network_is_one_line(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="patch") as raised:
        PlanSettings(patch_size=(20, 250, 224)).adapt(plan)
    assert "\n" not in str(raised.value)
