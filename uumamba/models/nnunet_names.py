"""nnU-Net's own networks between its files and ours: the architecture of plans.json, and the names of parameters."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.topology import Topology
from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings, NnunetUNet
from uumamba.models.official import is_parameter, require_same

_CLASSES = "dynamic_network_architectures.architectures.unet"
_DECODER = ("decoder.transpconvs.", "decoder.stages.0.convs.", "decoder.seg_layers.")
_MARKS: dict[NnunetPlainSettings | NnunetResEncMSettings, tuple[str, ...]] = {
    NnunetPlainSettings(): ("encoder.stages.0.0.convs.", *_DECODER),
    NnunetResEncMSettings(): ("encoder.stem.convs.", "encoder.stages.0.blocks.", *_DECODER),
}
"""Parameters that a network has and none of the others."""
_IN_BLOCK = re.compile(r"\.(conv|norm)\.(weight|bias)$")


def nnunet_class_architecture(topology: Topology, *, residual: bool) -> dict[str, Any]:
    """The `architecture` of plans.json that nnU-Net's planners write for this network, with nnU-Net's own class."""
    axes, stages = topology.spatial_dims, len(topology.features)
    name, blocks = ("ResidualEncoderUNet", "n_blocks_per_stage") if residual else ("PlainConvUNet", "n_conv_per_stage")
    return {
        "network_class_name": f"{_CLASSES}.{name}",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": list(topology.features),
            "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
            "kernel_sizes": [list(kernel) for kernel in topology.kernels],
            "strides": [list(stride) for stride in topology.strides],
            blocks: list(topology.blocks_encoder),
            "n_conv_per_stage_decoder": list(topology.blocks_decoder),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def require_same_architecture(
    architecture: Mapping[str, Any], topology: Topology, *, residual: bool, where: str
) -> None:
    """Refuse an `architecture` of plans.json that computes otherwise than our network of the same topology.

    Its weights may look the same. Raises `InputError` with the first key that differs.
    """
    ours = nnunet_class_architecture(topology, residual=residual)
    theirs_class, ours_class = (str(each["network_class_name"]).rpartition(".")[2] for each in (architecture, ours))
    given, expected = dict(architecture["arch_kwargs"]), ours["arch_kwargs"]
    pairs = {"network_class_name": (theirs_class, ours_class)} | {
        key: (given.get(key), expected.get(key)) for key in (*expected, *given)
    }
    for key, (found, wanted) in pairs.items():
        # what only they name and leave empty or off is the class's default
        if found != wanted and (key in expected or key == "network_class_name" or found):
            raise InputError(
                f"{where}: {key} is {found!r}, must be {wanted!r} for weights of nnU-Net's {ours_class}; such a model "
                "cannot be imported"
            )


def identify_nnunet(weights: Mapping[str, Tensor]) -> NnunetPlainSettings | NnunetResEncMSettings | None:
    """Which of nnU-Net's own networks has parameters of these names; None if neither has."""
    names = [name for name in weights if is_parameter(name)]
    for settings, marks in _MARKS.items():
        if all(any(name.startswith(mark) for name in names) for mark in marks):
            return settings
    return None


def network_from_nnunet(
    weights: Mapping[str, Tensor], topology: Topology, *, residual: bool, input_channels: int, classes: int
) -> NnunetUNet:
    """Our network with the weights of nnU-Net's; raises `InputError` if names or shapes do not fit the topology."""
    network = NnunetUNet(topology, input_channels=input_channels, classes=classes, residual=residual)
    ours = {name: tensor for name, tensor in weights.items() if is_parameter(name)}
    require_same(ours, network.state_dict())
    network.load_state_dict(ours)
    return network


def nnunet_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of our network as nnU-Net's has it, whose parameters stand under several names."""
    named = dict(state)
    for name, tensor in state.items():
        part = _IN_BLOCK.search(name)
        if part:
            number = ("conv", "norm").index(part[1])
            named[f"{name[: part.start()]}.all_modules.{number}.{part[2]}"] = tensor
    return named | {f"decoder.{name}": tensor for name, tensor in named.items() if name.startswith("encoder.")}
