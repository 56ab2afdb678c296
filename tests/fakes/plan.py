"""A plan for the cases of `fake_store`, and a small network for it."""

import torch
from torch import nn

from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan
from uumamba.inference.network import network_of
from uumamba.models.umamba import UMambaSettings


def fake_plan(patch_size: tuple[int, ...], *, ignore: int | None = None) -> Plan:
    """A plan in 2D or 3D, as the patch has axes."""
    axes = len(patch_size)
    statistics = IntensityStatistics(mean=0, median=0, std=1, min=-1, max=1, percentile_00_5=-1, percentile_99_5=1)
    channel = Channel(name="MRI", normalization="z-score", mask_for_normalization=False, statistics=statistics)
    return Plan(
        dataset="fake", configuration="2d" if axes == 2 else "3d_fullres",
        labels=LabelSet(names=("background", "shell", "ball"), ignore=ignore), channels=(channel,),
        axes=(2, 1, 0), spacing_mm=(5.0, 1.5, 1.25), median_shape=(8, 40, 36), batch_size=2, batch_dice=True,
        topology=Topology(
            patch_size=patch_size, features=(4, 8), kernels=((3,) * axes,) * 2, strides=((1,) * axes, (2,) * axes),
            blocks_encoder=(1, 1), blocks_decoder=(1,),
        ),
    )  # fmt: skip


def fake_network(plan: Plan) -> nn.Module:
    """A network that has learned nothing, always the same."""
    torch.manual_seed(0)
    return network_of(plan, UMambaSettings(mamba="bottleneck"), deep_supervision=True)
