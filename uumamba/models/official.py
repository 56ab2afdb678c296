"""Published U-Mamba and UU-Mamba weights in our network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.topology import Topology
from uumamba.models.encoder import Generation
from uumamba.models.umamba import MambaPlace, UMamba

_PLACES: dict[str, MambaPlace] = {"enc": "encoder", "bot": "bottleneck", "none": "none"}
_GENERATIONS: dict[str, Generation] = {"v1": "v1", "v2": "v2"}
_MARKS: dict[Generation, tuple[str, ...]] = {
    "v1": ("encoder.stem.convs.", "encoder.stages.0.blocks.", "decoder.stages.0.blocks.", "decoder.transpconvs."),
    "v2": ("encoder.stem.0.conv3.", "encoder.stages.0.0.conv3.", "decoder.upsample_layers."),
}
"""Parameters that a generation has and no other network."""
_HEAD = "decoder.seg_layers."
_SHOWN = 5


@dataclass(frozen=True)
class OfficialNetwork:
    """What a published state dict was trained as; `every_head`: it has the heads of deep supervision."""

    generation: Generation
    kind: Literal["enc", "bot", "none"]
    every_head: bool

    @property
    def mamba(self) -> MambaPlace:
        """Where Mamba is, as our settings name it."""
        return _PLACES[self.kind]


def identify_official(state_dict: Mapping[str, Tensor]) -> OfficialNetwork:
    """Find generation, kind and heads of a published U-Mamba from the names of its parameters.

    Raises `InputError` for the parameters of another network, such as nnU-Net's own.
    """
    names = [_our_name(name) for name in state_dict if is_parameter(name)]
    generations = [generation for generation, marks in _MARKS.items() if all(_any(names, mark) for mark in marks)]
    encoder, bottleneck = _any(names, "encoder.mamba_layers."), _any(names, "mamba_layer.")
    if len(generations) != 1 or (encoder and bottleneck):
        raise InputError(
            "official network: these are not the parameters of a U-Mamba of generation v1 or v2 (its blocks, its "
            f"upsampling, Mamba in one place), but {_listed(sorted(names)) or 'none'}; give a model that U-Mamba, "
            "UU-Mamba or nnU-Net trained"
        )
    heads = {name.split(".")[2] for name in names if name.startswith(_HEAD)}
    stages = {name.split(".")[2] for name in names if name.startswith("decoder.stages.")}
    return OfficialNetwork(
        generation=generations[0],
        kind="enc" if encoder else "bot" if bottleneck else "none",
        every_head=heads == stages,
    )


def network_from_official(state_dict: Mapping[str, Tensor], config: Mapping[str, Any]) -> UMamba:
    """Build the network that `config` describes and load a published state dict into it.

    `config` has input_channels, classes, patch, features, kernels, strides, n_conv_enc, n_conv_dec, generation ("v1" or
    "v2") and kind ("enc", "bot" or "none"); every_head is true unless it says otherwise. Of `state_dict`, an optional
    prefix `state/`, and the published copies (`.all_modules.`, `decoder.encoder.`) are dropped; other entries under
    `input` and `output/` are no parameters.
    Raises `InputError` that names missing, unexpected or wrongly shaped parameters.
    """
    if config.get("kind") not in _PLACES or config.get("generation") not in _GENERATIONS:
        raise InputError(
            f"official network: kind must be one of {', '.join(_PLACES)} and generation v1 or v2; "
            f"got {config.get('kind')!r}, {config.get('generation')!r}"
        )
    topology = Topology(
        patch_size=tuple(config["patch"]),
        features=tuple(config["features"]),
        kernels=tuple(tuple(kernel) for kernel in config["kernels"]),
        strides=tuple(tuple(stride) for stride in config["strides"]),
        blocks_encoder=tuple(config["n_conv_enc"]),
        blocks_decoder=tuple(config["n_conv_dec"]),
    )
    network = UMamba(
        topology,
        input_channels=config["input_channels"],
        classes=config["classes"],
        mamba=_PLACES[config["kind"]],
        generation=_GENERATIONS[config["generation"]],
        deep_supervision=config.get("every_head", True),
    )
    ours = {_our_name(name): tensor for name, tensor in state_dict.items() if is_parameter(name)}
    require_same(ours, network.state_dict())
    network.load_state_dict(ours)
    return network


def is_parameter(name: str) -> bool:
    """Whether an entry is a parameter of its own, not a copy and not a tensor stored beside the state."""
    bare = name.removeprefix("state/")
    return not (".all_modules." in bare or bare.startswith(("decoder.encoder.", "input", "output/")))


def _any(names: Sequence[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)


def _our_name(name: str) -> str:
    """Our name of a published parameter; v1 Bot has the layer's parts on the network itself."""
    bare = name.removeprefix("state/")
    if bare.startswith("ln."):
        return "mamba_layer.norm." + bare.removeprefix("ln.")
    return "mamba_layer." + bare if bare.startswith("mamba.") else bare


def require_same(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Names and shapes must be the same on both sides; raises `InputError` that names the first ones that are not."""
    problems = {
        "missing": expected.keys() - given.keys(),
        "unexpected": given.keys() - expected.keys(),
        "wrongly shaped": {
            f"{name} {tuple(given[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in given.keys() & expected.keys()
            if given[name].shape != expected[name].shape
        },
    }
    found = [f"{kind}: {_listed(sorted(names))}" for kind, names in problems.items() if names]
    if found:
        raise InputError(f"official network: the state does not fit the network of its config; {'; '.join(found)}")


def _listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
