"""The planned shape of a U-Net, against nnU-Net's own rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from uumamba.core.errors import ConfigError
from uumamba.core.topology import Topology
from uumamba.models import plan_topology
from uumamba.models.topology import fitting_patch

SPACING = st.floats(0.1, 12.0, allow_nan=False)
SIZE = st.integers(8, 300)


@given(st.lists(st.tuples(SIZE, SPACING), min_size=2, max_size=3))
@settings(max_examples=300, deadline=None)
def test_equals_nnunet(axes: list[tuple[int, float]]) -> None:
    """Same strides and kernels; where nnU-Net pads the patch, ours is refused and the padded one accepted."""
    sizes, spacing = zip(*axes, strict=True)
    _, strides, kernels, padded, steps = get_pool_and_conv_props(spacing, sizes, 4, 999999)
    if len(strides) < 2:
        with pytest.raises(ConfigError, match="leaves no axis to halve"):
            plan_topology(sizes, spacing, base_features=32, max_features=320)
        return
    if sizes != tuple(int(size) for size in padded):
        with pytest.raises(ConfigError, match="is no multiple of"):
            plan_topology(sizes, spacing, base_features=32, max_features=320)
        return
    topology = plan_topology(sizes, spacing, base_features=32, max_features=320)
    assert topology.strides == strides
    assert topology.kernels == kernels
    assert topology.total_stride == tuple(steps)
    assert topology.features == tuple(min(320, 32 * 2**stage) for stage in range(len(strides)))


@given(st.lists(st.tuples(st.integers(1, 12), SPACING), min_size=2, max_size=3), st.integers(2, 4))
@settings(max_examples=100, deadline=None)
def test_feature_maps_divide(axes: list[tuple[int, float]], stages: int) -> None:
    """With a cap on stages: no more of them, a prefix of nnU-Net's strides, and whole feature maps."""
    sizes, spacing = tuple(16 * count for count, _ in axes), tuple(mm for _, mm in axes)
    topology = plan_topology(sizes, spacing, base_features=8, max_features=64, max_stages=stages)
    _, strides, _, _, _ = get_pool_and_conv_props(spacing, sizes, 4, 999999)
    assert topology.strides == strides[:stages]
    assert topology.kernels[-1] == (3,) * len(sizes)
    last = topology.feature_maps[-1]
    assert tuple(a * b for a, b in zip(last, topology.total_stride, strict=True)) == sizes
    assert len(topology.blocks_encoder) == len(topology.features) == len(topology.blocks_decoder) + 1


def test_acdc() -> None:
    """The plan of UU-Mamba's ACDC network."""
    topology = plan_topology((20, 256, 224), (5.0, 1.5625, 1.5625), base_features=32, max_features=320)
    assert topology.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
    assert topology.kernels == ((1, 3, 3), *((3, 3, 3),) * 5)
    assert topology.features == (32, 64, 128, 256, 320, 320)
    assert topology.feature_maps[-1] == (5, 8, 7)
    assert topology.spatial_dims == 3


def test_nearest_sizes_are_named() -> None:
    """The way out of a patch that does not divide."""
    with pytest.raises(
        ConfigError, match=r"\(100, 64\) does not fit 5 stages: axis 0: 100 is no .* 16, take 96 or 112"
    ):
        plan_topology((100, 64), (1, 1), base_features=8, max_features=64)


@pytest.mark.parametrize(
    ("patch", "spacing", "message"),
    [
        ((64,), (1.0,), "needs 2 or 3 axes"),
        ((64, 64), (1.0, 1.0, 1.0), "needs 2 or 3 axes"),
        ((64, 0), (1.0, 1.0), "must be above 0"),
        ((64, 64), (1.0, -1.0), "must be above 0"),
        ((7, 7), (1.0, 1.0), r"patch size \(7, 7\) with max_stages None leaves no axis to halve"),
    ],
)
def test_wrong_plans(patch: tuple[int, ...], spacing: tuple[float, ...], message: str) -> None:
    """Each message names what came."""
    with pytest.raises(ConfigError, match=message):
        plan_topology(patch, spacing, base_features=8, max_features=64)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patch_size": (8,)}, "patch_size must have 2 or 3 axes"),
        ({"kernels": ((3, 3),)}, "kernels must have 2 entries as features has, got 1"),
        ({"blocks_decoder": (2, 2)}, "got 2 stages, 2 entries"),
        ({"strides": ((1, 1), (2, 2, 2))}, "kernels and strides must have 2 axes"),
    ],
)
def test_parts_must_agree(changed: dict[str, tuple[object, ...]], message: str) -> None:
    """A topology that contradicts itself is refused."""
    parts: dict[str, object] = {
        "patch_size": (8, 8),
        "features": (4, 8),
        "kernels": ((3, 3), (3, 3)),
        "strides": ((1, 1), (2, 2)),
        "blocks_encoder": (1, 1),
        "blocks_decoder": (1,),
    }
    with pytest.raises(ConfigError, match=message):
        Topology(**{**parts, **changed})


@given(st.lists(st.tuples(st.integers(1, 200), SPACING), min_size=2, max_size=3), st.sampled_from([None, 2, 5]))
@settings(max_examples=300, deadline=None)
def test_a_fitting_patch_fits_and_covers(axes: list[tuple[int, float]], stages: int | None) -> None:
    sizes, spacing = zip(*axes, strict=True)
    patch = fitting_patch(sizes, spacing, max_stages=stages)
    assert all(length >= max(size, 8) for length, size in zip(patch, sizes, strict=True))
    assert fitting_patch(patch, spacing, max_stages=stages) == patch
    if len(set(spacing)) == 1:
        topology = plan_topology(patch, spacing, base_features=4, max_features=8, max_stages=stages)
        steps = zip(patch, sizes, topology.total_stride, strict=True)
        assert all(length < max(size, 8) + step for length, size, step in steps)
