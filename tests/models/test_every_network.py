"""Every network of the union: laws that hold for all of them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from tests.fakes.nnunet_folder import NAMES, TOPOLOGIES, flat_plans, small_network
from tests.fakes.program import uumamba
from tests.fakes.scan import scan
from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.nnunet_plans import read_nnunet_plan
from uumamba.imaging.files import read_label_map, write_image
from uumamba.inference.bundle import BundleDescription, build_network, read_bundle, write_bundle
from uumamba.inference.predictor import Predictor
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.mamba import Mamba
from uumamba.models.networks import NetworkSettings
from uumamba.models.topology import plan_topology
from uumamba.models.umamba import NoMambaSettings, UMambaSettings
from uumamba.models.unet import UNet

CLASSES = get_args(get_args(NetworkSettings)[0])
DEFAULTS = [settings() for settings in CLASSES]
FUSED = [
    UMambaSettings(decoder=FreqFusionDecoderSettings(stages="all")),
    UMambaSettings(generation="v2", mamba="bottleneck", decoder=FreqFusionDecoderSettings(stages="all")),
    NoMambaSettings(decoder=FreqFusionDecoderSettings(feature_resample=False)),
]
NETWORKS = [*DEFAULTS, *FUSED]


def name_of(settings: Any) -> str:
    """Its name, and that of its decoder if that is not the usual one."""
    return settings.name if settings in DEFAULTS else f"{settings.name} {settings.generation} freqfusion"


FLAT = plan_topology((32, 24), (1.0, 1.0), base_features=4, max_features=16)
DEEP = plan_topology((6, 32, 16), (4.0, 1.0, 1.0), base_features=4, max_features=12)
ONE_SLICE = plan_topology((1, 16, 24), (10.0, 1.0, 1.0), base_features=4, max_features=8)
SHAPES = pytest.mark.parametrize("topology", [FLAT, DEEP, ONE_SLICE], ids=["2d", "3d", "one slice"])
EVERY = pytest.mark.parametrize("settings", NETWORKS, ids=map(name_of, NETWORKS))


def build(settings: Any, topology: Topology, *, seed: int = 0, **changed: Any) -> UNet:
    """A small network with its own blocks and a fixed start."""
    torch.manual_seed(seed)
    arguments = {"input_channels": 2, "classes": 3, "deep_supervision": True} | changed
    network: UNet = settings.build(settings.adapt(topology), **arguments)
    return network


def image_for(size: Collection[int], batch: int = 2) -> Tensor:
    """Noise, two channels."""
    return torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(1))


def test_the_walk_finds_them_all() -> None:
    assert [settings.name for settings in DEFAULTS] == ["umamba", "no_mamba", "nnunet_plain", "nnunet_resenc_m"]


@EVERY
@SHAPES
def test_logits_and_gradients(settings: Any, topology: Topology) -> None:
    """Training: logits of each decoder stage, a gradient for every parameter. Evaluation: full resolution alone."""
    network, image = build(settings, topology).double(), image_for(topology.patch_size).double()
    levels = network(image)
    assert [tuple(level.shape) for level in levels] == [(2, 3, *size) for size in topology.feature_maps[:-1]]
    sum(level.square().mean() for level in levels).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    network.eval()
    with torch.no_grad():
        alone = network(image)
        one_by_one = torch.cat([network(image[index : index + 1]) for index in range(2)])
    torch.testing.assert_close(alone, levels[0])
    torch.testing.assert_close(alone, one_by_one)


@EVERY
@SHAPES
def test_sizes_other_than_the_patch(settings: Any, topology: Topology) -> None:
    """Any multiple of the total stride, also an odd one; others are refused in words, and so are wrong axes."""
    network, steps = build(settings, topology).eval(), topology.total_stride
    size = [3 * step for step in steps]
    assert network(image_for(size)).shape == (2, 3, *size)
    with pytest.raises(InputError, match=r"multiples of its total stride .* pad the image"):
        network(image_for([*size[:-1], size[-1] + 1]))
    with pytest.raises(InputError, match=r"expects \(batch, 2 channels, "):
        network(image_for(size)[:, :1])
    with pytest.raises(InputError, match="spatial axes"):
        network(image_for(size[1:]))


@EVERY
@SHAPES
def test_without_deep_supervision(settings: Any, topology: Topology) -> None:
    """One tensor in training too, one head, and no parameter without gradient."""
    network = build(settings, topology, deep_supervision=False)
    network(image_for(topology.patch_size)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert len([name for name in network.state_dict() if ".seg_layers." in name]) == 2


@EVERY
def test_a_seed_is_a_start(settings: Any) -> None:
    one, same, other = (build(settings, FLAT, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@EVERY
def test_every_tensor_of_the_state_is_a_parameter_by_one_name(settings: Any) -> None:
    network = build(settings, FLAT)
    assert network.state_dict().keys() == dict(network.named_parameters(remove_duplicate=False)).keys()
    assert len(list(network.parameters())) == len(network.state_dict())


@EVERY
@pytest.mark.parametrize("topology", [FLAT, DEEP], ids=["2d", "3d"])
def test_checkpointed_stages_change_memory_alone(settings: Any, topology: Topology) -> None:
    """Logits and gradients bit for bit, with fewer bytes kept for the gradient the more stages are checkpointed."""
    image, kept, results = image_for(topology.patch_size), [], []
    for stages in ((), (0,), tuple(range(len(topology.features)))):
        network, sizes = build(settings, topology, checkpoint_stages=stages), []

        def keep(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            levels = network(image)
        torch.stack([level.square().mean() for level in levels]).sum().backward()
        kept.append(sum(sizes))
        results.append([*levels, *(parameter.grad for parameter in network.parameters())])
    assert kept[0] > kept[1] > kept[2]
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(results[0], other, strict=True))


@EVERY
def test_checkpointed_stages_must_exist(settings: Any) -> None:
    with pytest.raises(ConfigError, match=r"the network's stages are 0 \(full resolution\) to 2, got 0, 7"):
        build(settings, FLAT, checkpoint_stages=(0, 7))


@EVERY
def test_whether_a_scan_runs_in_it(settings: Any) -> None:
    assert settings.uses_scan == any(isinstance(module, Mamba) for module in build(settings, FLAT).modules())


def test_the_documented_numbers_of_parameters() -> None:
    """Those of docs/method.md, with the plan of the shipped configuration acdc-small."""
    topology = plan_topology((160, 160), (1.5, 1.5), base_features=16, max_features=128)
    text = (Path(__file__).parents[2] / "docs" / "method.md").read_text(encoding="utf-8")
    networks = [
        UMambaSettings(mamba="bottleneck", generation="v2"),
        UMambaSettings(mamba="encoder", generation="v2"),
        *DEFAULTS,
        NoMambaSettings(generation="v2"),
        UMambaSettings(mamba="bottleneck", generation="v2", decoder=FreqFusionDecoderSettings(stages="all")),
    ]
    for settings in networks:
        with torch.device("meta"):
            network = build(settings, topology, input_channels=1, classes=4)
        assert f" {sum(parameter.numel() for parameter in network.parameters()):,}" in text, settings


def test_u_mamba_without_mamba_is_one_network_by_two_names() -> None:
    assert not UMambaSettings(mamba="none").uses_scan
    for generation in ("v1", "v2"):
        two = [{"name": "umamba", "mamba": "none"}, {"name": "no_mamba"}]
        one, other = (
            build(TypeAdapter(NetworkSettings).validate_python(each | {"generation": generation}), DEEP).state_dict()
            for each in two
        )
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def describe(settings: Any, dims: int) -> BundleDescription:
    """A bundle's description around the small topology of `small_network`."""
    labels = LabelSet(names=("background", "cavity", "wall"))
    plan = read_nnunet_plan(flat_plans(dims), NAMES[dims], labels=labels, channels=("MRI",), where="plans")
    assert plan.topology == TOPOLOGIES[dims]
    return BundleDescription(plan=plan, network=settings, mirrored_axes=(0, 1))


@EVERY
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("deep_supervision", [True, False])
def test_a_bundle_gives_the_same_logits(settings: Any, dims: int, deep_supervision: bool, tmp_path: Path) -> None:
    network = small_network(settings, dims, deep_supervision=deep_supervision).eval()
    write_bundle(tmp_path / "b", state=network.state_dict(), description=describe(settings, dims))
    bundle = read_bundle(tmp_path / "b")
    assert bundle.description.network == settings
    assert f"name: {settings.name}" in bundle.description.model_card
    image = torch.randn(2, 1, *TOPOLOGIES[dims].patch_size)
    with torch.no_grad():
        assert torch.equal(build_network(bundle)(image), network(image))


@EVERY
@pytest.mark.parametrize("dims", [2, 3])
def test_the_command_line_infers_with_it(settings: Any, dims: int, tmp_path: Path) -> None:
    state = small_network(settings, dims).state_dict()
    write_bundle(tmp_path / "b", state=state, description=describe(settings, dims))
    write_image(tmp_path / "scan.nii.gz", scan())
    options = ("--input", tmp_path / "scan.nii.gz", "--output", tmp_path / "out", "--device", "cpu")
    assert uumamba("infer", "--model", tmp_path / "b", *options) == 0
    labels = read_label_map(tmp_path / "out" / "scan.nii.gz").data
    assert len(set(labels.ravel().tolist())) > 1
    assert (labels == Predictor([read_bundle(tmp_path / "b")]).predict([scan()]).labels).all()


def test_what_was_written_before_there_were_others_reads_as_before() -> None:
    before = {"name": "umamba", "mamba": "bottleneck", "generation": "v2"}
    assert TypeAdapter(NetworkSettings).validate_python(before) == UMambaSettings(mamba="bottleneck", generation="v2")
    assert UMambaSettings(mamba="bottleneck", generation="v2").model_dump() == before | {"decoder": {"name": "unet"}}
