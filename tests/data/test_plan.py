"""Plans as files, and what is said of a file that holds none."""

from pathlib import Path
from typing import Any

import pytest

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan, read_plan, write_plan


@pytest.fixture
def plan() -> Plan:
    """A small plan in two dimensions."""
    statistics = IntensityStatistics(mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2)
    return Plan(
        dataset="fake",
        configuration="2d",
        labels=LabelSet(names=("background", "ball")),
        channels=(Channel(name="MRI", normalization="z-score", mask_for_normalization=False, statistics=statistics),),
        axes=(1, 2, 0),
        spacing_mm=(8.0, 1.0, 1.0),
        median_shape=(10, 64, 48),
        batch_size=4,
        batch_dice=True,
        topology=Topology(
            patch_size=(64, 48),
            features=(4, 8),
            kernels=((3, 3), (3, 3)),
            strides=((1, 1), (2, 2)),
            blocks_encoder=(2, 2),
            blocks_decoder=(2,),
        ),
    )


def test_a_plan_comes_back_from_its_file(plan: Plan, tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", plan)
    assert read_plan(tmp_path / "plan.json") == plan


def test_axes_of_the_patch(plan: Plan) -> None:
    assert plan.spatial_dims == 2
    assert plan.patch_axes((0, 1, 2)) == (0, 1)
    assert plan.patch_axes((0, 1)) == (1,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": "many"}, r"batch_size: Input should be a valid integer"),
        ({"labels": {"names": ["ball"]}}, r"labels: .*begin with 'background'"),
        ({"colour": 1}, r"colour: Extra inputs are not permitted"),
    ],
)
def test_a_broken_plan_is_one_line(plan: Plan, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, plan)
    write_json(path, read_json(path) | changes)
    with pytest.raises(InputError, match=rf"plan\.json: not a plan \({message}.*\); run `uumamba preprocess`") as error:
        read_plan(path)
    assert "\n" not in str(error.value)


def test_another_file_is_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(InputError, match=r"plan\.json: no such file"):
        read_plan(path)
    write_json(path, [1, 2])
    with pytest.raises(InputError, match=r"plan\.json: not a plan \(Input should be"):
        read_plan(path)
