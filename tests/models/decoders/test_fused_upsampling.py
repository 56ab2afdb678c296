"""FreqFusion in U-Mamba's decoder: in which stages, with which windows, and how it starts."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.errors import ConfigError
from uumamba.core.topology import Topology
from uumamba.models.decoders.freqfusion import FreqFusion
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings, FusedUpsampling
from uumamba.models.encoder import Generation
from uumamba.models.topology import plan_topology
from uumamba.models.umamba import UMamba, UMambaSettings

FLAT = plan_topology((32, 24), (1.0, 1.0), base_features=4, max_features=16)
DEEP = plan_topology((8, 32, 32), (4.0, 1.0, 1.0), base_features=4, max_features=16)
CUBE = plan_topology((16, 16, 16), (1.0, 1.0, 1.0), base_features=4, max_features=16)


def build(topology: Topology, *, generation: Generation = "v1", **options: Any) -> UMamba:
    """A small network without Mamba."""
    torch.manual_seed(0)
    settings = UMambaSettings(mamba="none", generation=generation, decoder=FreqFusionDecoderSettings(**options))
    return settings.build(topology, input_channels=1, classes=3, deep_supervision=True)


def fused_stages(network: UMamba) -> list[int]:
    """The stages with a fusion, counted from full resolution."""
    layers = network.decoder.upsampling
    return sorted(len(layers) - 1 - place for place, layer in enumerate(layers) if isinstance(layer, FusedUpsampling))


def fusions(network: UMamba) -> list[FreqFusion]:
    """From the lowest resolution on."""
    return [module for module in network.modules() if isinstance(module, FreqFusion)]


@pytest.mark.parametrize(
    ("generation", "stages", "expected"),
    [("v1", "all", [0, 1]), ("v1", "coarse", [1]), ("v2", "all", [1]), ("v1", (0,), [0]), ("v2", (1,), [1])],
)  # fmt: skip
def test_the_chosen_stages_are_fused(
    generation: Generation, stages: Literal["all", "coarse"] | tuple[int, ...], expected: list[int]
) -> None:
    assert len(FLAT.features) == 3
    assert fused_stages(build(FLAT, generation=generation, stages=stages)) == expected


@pytest.mark.parametrize(
    ("generation", "stages", "message"),
    [("v1", (0, 2), r"among the decoder stages with a skip \(\[0, 1\]; 0 is full resolution\), got \[0, 2\]"),
     ("v2", (0,), r"among the decoder stages with a skip \(\[1\]; .*, got \[0\]")],
)  # fmt: skip
def test_a_stage_without_a_skip_cannot_be_fused(generation: Generation, stages: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=f"network.decoder.stages: must be {message}"):
        build(FLAT, generation=generation, stages=stages)


@pytest.mark.parametrize(("generation", "stages"), [("v1", "coarse"), ("v2", "coarse"), ("v2", "all")])
def test_a_decoder_that_fuses_nothing_is_refused(generation: Generation, stages: Any) -> None:
    topology = plan_topology((16, 16), (1.0, 1.0), base_features=4, max_features=8, max_stages=2)
    with pytest.raises(
        ConfigError, match=r"of this network's 1 decoder stages none is fused .* take stages: all, plan"
    ):
        build(topology, generation=generation, stages=stages)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"feature_resample_group": 3}, "feature_resample_group must divide the 16 channels")],
)  # fmt: skip
def test_an_option_that_does_not_fit_names_setting_and_stage(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"network.decoder, stage 1: FreqFusion: {message}.*; set what fits every"):
        build(FLAT, **options)


def test_windows_follow_the_stages_kernels() -> None:
    """Flat where the convolutions are; a cube of three voxels instead of five."""
    taps = [[fusion.low_pass.encoder.weight.shape[0] for fusion in fusions(build(shape, stages="all"))]
            for shape in (FLAT, DEEP, CUBE)]  # fmt: skip
    assert {1} < {kernel[0] for kernel in DEEP.kernels}
    assert set(taps[0]) == {25}
    assert set(taps[1]) == {25 if kernel[0] == 1 else 27 for kernel in DEEP.kernels[:-1]}
    assert set(taps[2]) == {27}
    (larger,) = {fusion.low_pass.encoder.weight.shape[0] for fusion in fusions(build(CUBE, lowpass_kernel=5))}
    assert larger == 125


@pytest.mark.parametrize("topology", [FLAT, DEEP, CUBE], ids=["2d", "thick slices", "cube"])
def test_it_starts_close_to_plain_nearest_upsampling(topology: Topology) -> None:
    """In a network as it is built: of a smooth map, its general initialisation having wiped nothing."""
    for layer in build(topology, stages="all").modules():
        if not isinstance(layer, FusedUpsampling):
            continue
        channels, scale = layer.conv.weight.shape[1], layer.fusion.scale
        low = _smooth(channels, [12] * topology.spatial_dims)
        size = [length * factor for length, factor in zip(low.shape[2:], scale, strict=True)]
        skip = torch.randn(1, layer.conv.weight.shape[0], *size)
        with torch.no_grad():
            _, _, upsampled = layer.fusion(skip, low)
        nearest = functional.interpolate(low, size=size, mode="nearest")
        assert float((upsampled - nearest).abs().mean() / nearest.std()) < 0.1


def _smooth(channels: int, size: list[int]) -> Tensor:
    """A wave along every axis."""
    axes = torch.meshgrid(*[torch.linspace(0, 3, length) for length in size], indexing="ij")
    return torch.stack([torch.sin(sum(axes) / len(size) + shift) for shift in range(channels)])[None]


def test_the_coarse_map_takes_the_skips_features() -> None:
    fusion = FreqFusion(2, 4, 8, compressed_channels=8)
    layer = FusedUpsampling(fusion, below=8, features=4, spatial_dims=2)
    upsampled, sharpened = layer(torch.randn(2, 8, 5, 3), torch.randn(2, 4, 10, 6))
    assert upsampled.shape == sharpened.shape == (2, 4, 10, 6)
    assert isinstance(layer.conv, nn.Conv2d)
