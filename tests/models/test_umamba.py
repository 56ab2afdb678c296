"""U-Mamba in all its variants."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.topology import Topology
from uumamba.models import UMamba, UMambaSettings, plan_topology
from uumamba.models.blocks import BasicBlock
from uumamba.models.mamba import Mamba, MambaLayer
from uumamba.scan import BACKENDS

FLAT = plan_topology((32, 24), (1.0, 1.0), base_features=4, max_features=16)
DEEP = plan_topology((6, 32, 16), (4.0, 1.0, 1.0), base_features=4, max_features=12)
VARIANTS = [
    (topology, generation, mamba)
    for topology in (FLAT, DEEP)
    for generation in ("v1", "v2")
    for mamba in ("none", "bottleneck", "encoder")
]
ACDC = Topology(
    patch_size=(20, 256, 224),
    features=(32, 64, 128, 256, 320, 320),
    kernels=((1, 3, 3), *((3, 3, 3),) * 5),
    strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2)),
    blocks_encoder=(2,) * 6,
    blocks_decoder=(2,) * 5,
)


def build(topology: Topology, generation: str, mamba: str, **changed: Any) -> UMamba:
    """A small network with a fixed start."""
    torch.manual_seed(0)
    settings = UMambaSettings.model_validate({"generation": generation, "mamba": mamba})
    return settings.build(topology, **{"input_channels": 2, "classes": 3, "deep_supervision": True, **changed})


def image_for(topology: Topology, batch: int = 2) -> Tensor:
    """Noise of the training patch size, two channels."""
    return torch.randn(batch, 2, *topology.patch_size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("topology", "generation", "mamba"), VARIANTS)
def test_every_variant(topology: Topology, generation: str, mamba: str) -> None:
    """Training: logits of each decoder stage, and a gradient for every parameter. Evaluation: full resolution alone."""
    network = build(topology, generation, mamba).double()
    image = image_for(topology).double()
    levels = network(image)
    assert [tuple(level.shape) for level in levels] == [(2, 3, *size) for size in topology.feature_maps[:-1]]
    sum(level.square().mean() for level in levels).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    assert any(isinstance(module, Mamba) for module in network.modules()) == (mamba != "none")
    network.eval()
    with torch.no_grad():
        alone = network(image)
        one_by_one = torch.cat([network(image[index : index + 1]) for index in range(len(image))])
    torch.testing.assert_close(alone, levels[0])
    torch.testing.assert_close(alone, one_by_one)


@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_without_deep_supervision(generation: str) -> None:
    """One tensor in training too, one head, and no parameter without gradient."""
    network = build(FLAT, generation, "bottleneck", deep_supervision=False)
    network(image_for(FLAT)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    heads = [name for name in network.state_dict() if ".seg_layers." in name]
    assert heads == ["decoder.seg_layers.1.weight", "decoder.seg_layers.1.bias"]


def test_uu_mamba_sizes() -> None:
    """The number of parameters of UU-Mamba on ACDC, published for Enc and Bot."""
    with torch.device("meta"):
        networks = {
            place: UMamba(ACDC, input_channels=1, classes=4, mamba=place) for place in ("encoder", "bottleneck")
        }
    sizes = {place: sum(p.numel() for p in network.parameters()) for place, network in networks.items()}
    assert sizes == {"encoder": 58_770_036, "bottleneck": 57_496_436}


def test_initialisation() -> None:
    """He on convolutions; v1 with Mamba in the encoder starts blocks as their shortcuts; Mamba keeps its own."""
    network = build(ACDC_2D, "v1", "encoder")
    weight = network.encoder.stages[2].blocks[1].conv2.conv.weight
    expected = (2 / (1 + 1e-4) / weight[0].numel()) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.05)
    blocks = [module for module in network.modules() if isinstance(module, BasicBlock)]
    assert len(blocks) == 14
    assert all(not block.conv2.norm.weight.any() for block in blocks)
    assert all(bool(module.D.eq(1).all()) for module in network.modules() if isinstance(module, Mamba))
    others = [build(ACDC_2D, "v1", "bottleneck"), build(ACDC_2D, "v2", "encoder")]
    kept = [m for network in others for m in network.modules() if isinstance(m, BasicBlock)]
    assert all(bool(block.conv2.norm.weight.eq(1).all()) for block in kept)
    biases = [m.bias for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.bias is not None]
    assert all(not bias.any() for bias in biases)


ACDC_2D = plan_topology((64, 64), (1.0, 1.0), base_features=16, max_features=64, max_stages=4)


def test_mamba_places_in_v2() -> None:
    """2D: every other stage, the last always, with channels as tokens where voxels are few; 3D: every stage."""
    small = plan_topology((32, 32), (1.0, 1.0), base_features=8, max_features=64)
    layers = build(small, "v2", "encoder").encoder.mamba_layers
    assert [isinstance(layer, MambaLayer) for layer in layers] == [False, True, False, True]
    assert [layer.grid for layer in layers if isinstance(layer, MambaLayer)] == [None, (4, 4)]
    assert all(isinstance(layer, MambaLayer) for layer in build(DEEP, "v2", "encoder").encoder.mamba_layers)


def test_v2_encoder_is_tied_to_its_patch() -> None:
    """Another size is refused in words; v1 takes it."""
    topology = plan_topology((32, 32), (1.0, 1.0), base_features=8, max_features=64)
    other = torch.randn(1, 2, 40, 32)
    with pytest.raises(InputError, match=r"feature maps of \(4, 4\) only, got \(5, 4\)"):
        build(topology, "v2", "encoder")(other)
    assert build(topology, "v1", "encoder").eval()(other).shape == (1, 3, 40, 32)
    assert build(topology, "v2", "bottleneck").eval()(other).shape == (1, 3, 40, 32)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 32), r"expects \(batch, 2 channels, 2 spatial axes\), got \(1, 2, 32\)"),
        ((1, 2, 4, 32, 32), r"2 spatial axes\), got \(1, 2, 4, 32, 32\)"),
        ((1, 1, 32, 32), r"2 channels, .* got \(1, 1, 32, 32\)"),
        ((1, 2, 33, 32), r"multiples of its total stride \(4, 4\), got \(33, 32\); pad the image"),
        ((1, 2, 0, 32), r"multiples of its total stride \(4, 4\), got \(0, 32\)"),
    ],
)
def test_wrong_images(shape: tuple[int, ...], message: str) -> None:
    """The sizes are named instead of a failing convolution."""
    with pytest.raises(InputError, match=message):
        build(FLAT, "v1", "none")(torch.zeros(shape))


def test_autocast_gives_finite_logits() -> None:
    """bf16 outside, float32 inside the Mamba layers."""
    network = build(FLAT, "v1", "encoder")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        levels = network(image_for(FLAT))
    sum(level.float().square().mean() for level in levels).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("topology", [FLAT, DEEP], ids=["2d", "3d"])
@pytest.mark.parametrize("generation", ["v1", "v2"])
def test_checkpointed_stages_change_memory_alone(topology: Topology, generation: str) -> None:
    """Logits and gradients bit for bit, with fewer bytes kept for the gradient the more stages are checkpointed."""
    image, kept, results = image_for(topology), [], []
    for stages in ((), (0,), range(len(topology.features))):
        network, total = build(topology, generation, "encoder", checkpoint_stages=tuple(stages)), 0

        def keep(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            levels = network(image)
        torch.stack([level.square().mean() for level in levels]).sum().backward()
        kept.append(total)
        results.append([*levels, *(parameter.grad for parameter in network.parameters())])
    assert kept[0] > kept[1] > kept[2]
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(results[0], other, strict=True))


def test_checkpointed_stages_must_exist() -> None:
    """A stage that the network does not have is refused with those that it has."""
    with pytest.raises(ConfigError, match=r"the network's stages are 0 \(full resolution\) to 2, got 0, 7"):
        build(FLAT, "v1", "encoder", checkpoint_stages=(0, 7))


def test_settings_are_closed() -> None:
    """A misspelt key, place or backend is refused before any work."""
    with pytest.raises(ValidationError, match="mambas"):
        UMambaSettings.model_validate({"mambas": "encoder"})
    with pytest.raises(ValidationError, match="'none', 'bottleneck' or 'encoder'"):
        UMambaSettings.model_validate({"mamba": "decoder"})
    with pytest.raises(ConfigError, match=f"unknown 'fast'; choose auto or one of {', '.join(BACKENDS)}"):
        UMamba(FLAT, input_channels=1, classes=2, scan_backend="fast")
