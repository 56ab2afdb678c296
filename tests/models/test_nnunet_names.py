"""nnU-Net's own networks: what its planners ask for, what its classes compute, and how its files name it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    nnUNetPlannerResEncM,
)
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.planning import CaseFingerprint, plan_dataset
from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings, NnunetUNet
from uumamba.models.nnunet_names import (
    identify_nnunet,
    network_from_nnunet,
    nnunet_class_architecture,
    nnunet_names,
    require_same_architecture,
)
from uumamba.models.topology import plan_topology
from uumamba.models.umamba import NoMambaSettings

PLAIN, RESIDUAL = NnunetPlainSettings(), NnunetResEncMSettings()
BOTH = pytest.mark.parametrize("settings", [PLAIN, RESIDUAL], ids=["plain", "resenc_m"])
FLAT = plan_topology((32, 24), (1.0, 1.0), base_features=4, max_features=16)
DEEP = plan_topology((6, 32, 16), (4.0, 1.0, 1.0), base_features=4, max_features=12)
SHAPES = pytest.mark.parametrize("topology", [FLAT, DEEP], ids=["2d", "3d"])


def nnunets(settings: Any, topology: Topology, *, channels: int = 2, classes: int = 3) -> Any:
    """nnU-Net's network, by its own builder, with deep supervision."""
    architecture = nnunet_class_architecture(settings.adapt(topology), residual=settings.residual)
    return get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        channels,
        classes,
        deep_supervision=True,
    )


def ours(settings: Any, topology: Topology) -> NnunetUNet:
    """Our network of the same sizes."""
    network: NnunetUNet = settings.build(settings.adapt(topology), input_channels=2, classes=3, deep_supervision=True)
    return network


@pytest.mark.parametrize(
    ("settings", "planner"), [(PLAIN, ExperimentPlanner), (RESIDUAL, nnUNetPlannerResEncM)], ids=["plain", "resenc_m"]
)
def test_the_architecture_is_what_nnunets_planner_writes(
    settings: Any, planner: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it: blocks, bias, norm, activation, dropout, in 2D and in 3D."""
    monkeypatch.setattr("uumamba.data.planning.ExperimentPlanner", planner)
    case = CaseFingerprint(
        shape=(20, 200, 180),
        spacing_mm=(8.0, 1.5, 1.5),
        relative_size=1.0,
        intensities=np.arange(100, dtype=np.float32)[None],
    )
    labels = LabelSet(names=("background", "ball"))
    plans = plan_dataset([case] * 4, tmp_path, dataset="fake", labels=labels, channels=("MRI",))
    written = read_json(tmp_path / "plans.json")["configurations"]
    assert set(plans) == {"2d", "3d_fullres"}
    for name, plan in plans.items():
        topology = settings.adapt(plan.topology)
        assert topology == plan.topology
        assert nnunet_class_architecture(topology, residual=settings.residual) == written[name]["architecture"]


@BOTH
@SHAPES
def test_it_computes_what_nnunets_class_computes(settings: Any, topology: Topology) -> None:
    """Logits of every level and gradients, bit for bit; every parameter of theirs is one of ours."""
    torch.manual_seed(0)
    theirs, network = nnunets(settings, topology), ours(settings, topology)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    theirs.load_state_dict(nnunet_names(network.state_dict()))
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in network.parameters())
    image = torch.randn(2, 2, *topology.patch_size)
    for logits in (network(image), theirs(image)):
        torch.stack([level.square().mean() for level in logits]).sum().backward()
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(network(image), theirs(image), strict=True))
    found = dict(theirs.named_parameters(remove_duplicate=False))
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, found[name].grad, rtol=1e-5, atol=1e-6)


@BOTH
def test_it_starts_as_nnunets_class_starts(settings: Any) -> None:
    """The same parameters are zero or one, and the others have the same spread."""
    torch.manual_seed(0)
    topology = plan_topology((64, 64), (1.0, 1.0), base_features=16, max_features=64, max_stages=4)
    theirs, network = nnunets(settings, topology).state_dict(), ours(settings, topology).state_dict()
    for name, tensor in network.items():
        if tensor.numel() > 2000:
            assert tensor.std().item() == pytest.approx(theirs[name].std().item(), rel=0.1)
        elif tensor.unique().numel() == 1 or name.endswith("bias"):
            assert torch.equal(tensor, theirs[name]), name
    zero = [name for name, tensor in network.items() if name.endswith("norm.weight") and not tensor.any()]
    blocks = sum(settings.adapt(topology).blocks_encoder)
    assert len(zero) == (blocks if settings.residual else 0)


@BOTH
def test_nnunets_weights_arrive(settings: Any) -> None:
    theirs = nnunets(settings, FLAT)
    assert identify_nnunet(theirs.state_dict()) == settings
    network = network_from_nnunet(
        theirs.state_dict(), settings.adapt(FLAT), residual=settings.residual, input_channels=2, classes=3
    )
    image = torch.randn(1, 2, 32, 24)
    assert torch.equal(network.train()(image)[0], theirs(image)[0])
    assert nnunet_names(network.state_dict()).keys() == theirs.state_dict().keys()


def test_weights_of_others_and_of_another_size() -> None:
    u_mamba = NoMambaSettings().build(FLAT, input_channels=2, classes=3, deep_supervision=True)
    assert identify_nnunet(u_mamba.state_dict()) is None
    assert identify_nnunet({}) is None
    state = nnunets(PLAIN, FLAT).state_dict()
    with pytest.raises(InputError, match=r"wrongly shaped: .* \(3, 8, 1, 1\) instead of \(3, 8, 1, 1, 1\)"):
        network_from_nnunet(state, PLAIN.adapt(DEEP), residual=False, input_channels=2, classes=3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("nonlin", "torch.nn.ReLU", r"nonlin is 'torch\.nn\.ReLU', must be 'torch\.nn\.LeakyReLU'"),
        ("norm_op_kwargs", {"eps": 1e-3, "affine": True}, r"norm_op_kwargs is \{'eps': 0\.001"),
        ("conv_bias", False, "conv_bias is False, must be True"),
        ("nonlin_first", True, "nonlin_first is True, must be None"),
        ("stem_channels", 7, "stem_channels is 7, must be None"),
    ],
)
def test_an_architecture_that_computes_otherwise_is_refused(key: str, value: Any, message: str) -> None:
    """The weights would fit, and the label maps would be wrong."""
    architecture = nnunet_class_architecture(FLAT, residual=False)
    architecture["arch_kwargs"] |= {"nonlin_first": False, "stem_channels": None}
    require_same_architecture(architecture, FLAT, residual=False, where="plans.json")
    architecture["arch_kwargs"][key] = value
    with pytest.raises(InputError, match=f"plans.json: {message}.* for weights of nnU-Net's PlainConvUNet; such a"):
        require_same_architecture(architecture, FLAT, residual=False, where="plans.json")


def test_a_class_that_the_weights_are_not_of_is_refused() -> None:
    architecture = nnunet_class_architecture(FLAT, residual=False)
    with pytest.raises(InputError, match="network_class_name is 'PlainConvUNet', must be 'ResidualEncoderUNet'"):
        require_same_architecture(architecture, FLAT, residual=True, where="plans.json")


def test_own_blocks() -> None:
    deep = Topology((512,) * 2, (4,) * 9, ((3, 3),) * 9, ((1, 1), *((2, 2),) * 8), (1,) * 9, (1,) * 8)
    assert RESIDUAL.adapt(deep).blocks_encoder == (1, 3, 4, 6, 6, 6, 6, 6, 6)
    assert RESIDUAL.adapt(deep).blocks_decoder == (1,) * 8
    assert PLAIN.adapt(deep).blocks_encoder == (2,) * 9
    assert PLAIN.adapt(deep).blocks_decoder == (2,) * 8
    assert NoMambaSettings().adapt(deep) == deep
