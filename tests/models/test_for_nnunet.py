"""U-Mamba as nnU-Net builds, switches and loads it."""

import json
import pydoc
from typing import Any

import pytest
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.topology import Topology
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.encoder import Generation
from uumamba.models.for_nnunet import UMambaForNnunet, nnunet_architecture
from uumamba.models.umamba import MambaPlace, UMamba, UMambaSettings

TOPOLOGY = Topology((16, 16), (4, 8, 8), ((3, 3),) * 3, ((1, 1), (2, 2), (2, 2)), (1, 1, 1), (1, 1))


def built_by_nnunet(architecture: dict[str, Any], *, deep_supervision: bool) -> Any:
    """The network of an architecture, by nnU-Net's own builder."""
    return get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        input_channels=1,
        output_channels=3,
        deep_supervision=deep_supervision,
    )


def test_the_class_is_found_by_its_name() -> None:
    architecture = nnunet_architecture(TOPOLOGY, mamba="none", generation="v1", every_head=True)
    assert pydoc.locate(architecture["network_class_name"]) is UMambaForNnunet
    assert architecture["arch_kwargs"]["strides"] == [[1, 1], [2, 2], [2, 2]]


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize("mamba", ["none", "bottleneck", "encoder"])
@pytest.mark.parametrize("every_head", [True, False])
def test_the_same_network_by_the_same_names(mamba: MambaPlace, generation: Generation, every_head: bool) -> None:
    ours = UMamba(
        TOPOLOGY, input_channels=1, classes=3, mamba=mamba, generation=generation, deep_supervision=every_head
    ).eval()
    architecture = nnunet_architecture(TOPOLOGY, mamba=mamba, generation=generation, every_head=every_head)
    theirs = built_by_nnunet(architecture, deep_supervision=False).eval()
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(theirs(image), ours(image))


def test_its_decoder_comes_with_it() -> None:
    decoder = FreqFusionDecoderSettings(stages="all")
    settings = UMambaSettings(mamba="none", decoder=decoder)
    ours = settings.build(TOPOLOGY, input_channels=1, classes=3, deep_supervision=True).eval()
    architecture = nnunet_architecture(TOPOLOGY, mamba="none", generation="v1", decoder=decoder, every_head=True)
    theirs = built_by_nnunet(json.loads(json.dumps(architecture)), deep_supervision=False).eval()
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        assert torch.equal(theirs(image), ours(image))


@pytest.mark.parametrize("training", [True, False])
def test_nnunets_trainer_switches_deep_supervision(training: bool) -> None:
    """It wants a list while deep supervision is on, in its validation steps too, and a tensor while it is off."""
    architecture = nnunet_architecture(TOPOLOGY, mamba="none", generation="v1", every_head=True)
    network, image = built_by_nnunet(architecture, deep_supervision=True).train(training), torch.randn(1, 1, 16, 16)
    assert [tuple(level.shape[2:]) for level in network(image)] == [(16, 16), (8, 8)]
    network.decoder.deep_supervision = False
    assert network(image).shape == (1, 3, 16, 16)


def test_one_head_cannot_be_supervised_deeply() -> None:
    architecture = nnunet_architecture(TOPOLOGY, mamba="none", generation="v1", every_head=False)
    with pytest.raises(InputError, match="it has one head; train it with nnU-Net's nnUNetTrainerNoDeepSupervision"):
        built_by_nnunet(architecture, deep_supervision=True)


def test_an_argument_that_is_not_known() -> None:
    architecture = nnunet_architecture(TOPOLOGY, mamba="none", generation="v1", every_head=True)
    with pytest.raises(ValidationError, match="norm_op"):
        UMambaForNnunet(input_channels=1, num_classes=2, **architecture["arch_kwargs"], norm_op=None)
