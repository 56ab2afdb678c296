"""Published weights in our networks."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.topology import Topology
from uumamba.models import UMamba, network_from_official
from uumamba.models.encoder import Generation
from uumamba.models.official import identify_official
from uumamba.models.umamba import MambaPlace

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "nets"
NAMES = [
    f"umamba_{kind}_{generation}_{axes}d" for kind in ("bot", "enc") for generation in ("v1", "v2") for axes in (2, 3)
]
CONFIG: dict[str, Any] = {
    "input_channels": 1,
    "classes": 2,
    "patch": [8, 8],
    "features": [4, 6],
    "kernels": [[3, 3], [3, 3]],
    "strides": [[1, 1], [2, 2]],
    "n_conv_enc": [1, 1],
    "n_conv_dec": [1],
    "generation": "v1",
    "kind": "bot",
}


def official_state() -> dict[str, Tensor]:
    """A state as the published v1 Bot names and repeats it."""
    topology = Topology((8, 8), (4, 6), ((3, 3),) * 2, ((1, 1), (2, 2)), (1, 1), (1,))
    ours = UMamba(topology, input_channels=1, classes=2, mamba="bottleneck").state_dict()
    state = {name.replace("mamba_layer.norm", "ln").replace("mamba_layer.", ""): t for name, t in ours.items()}
    state.update({name.replace(".conv.", ".all_modules.0."): t for name, t in state.items() if ".conv." in name})
    return state | {"decoder." + name: t for name, t in state.items() if name.startswith("encoder.")}


@pytest.mark.parametrize("name", NAMES)
def test_published_numbers(name: str) -> None:
    """Logits of every deep-supervision level within 1e-4, the same argmax, the published number of parameters."""
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    with safe_open(path, "pt") as file:
        stored = {key: file.get_tensor(key) for key in list(file.keys())}
        config = json.loads(file.metadata()["config"])
    network = network_from_official(stored, config)
    assert sum(parameter.numel() for parameter in network.parameters()) == config["params"]
    with torch.no_grad():
        levels = network(stored["input"])
    assert len(levels) == sum(key.startswith("output/") for key in stored)
    for index, level in enumerate(levels):
        expected = stored[f"output/{index}"]
        torch.testing.assert_close(level, expected, atol=1e-4, rtol=0)
        assert torch.equal(level.argmax(1), expected.argmax(1))


@pytest.mark.parametrize("name", NAMES)
def test_published_networks_are_known_by_their_weights(name: str) -> None:
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    with safe_open(path, "pt") as file:
        stored = {key: file.get_tensor(key) for key in list(file.keys())}
    found = identify_official(stored)
    assert f"umamba_{found.kind}_{found.generation}" == name.rpartition("_")[0]
    assert found.every_head


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize(("mamba", "kind"), [("none", "none"), ("bottleneck", "bot"), ("encoder", "enc")])
@pytest.mark.parametrize("deep_supervision", [True, False])
def test_networks_are_known_by_our_names_too(
    generation: Generation, mamba: MambaPlace, kind: str, deep_supervision: bool
) -> None:
    network = UMamba(
        Topology((8, 8), (4, 6, 6), ((3, 3),) * 3, ((1, 1), (2, 2), (2, 2)), (1, 1, 1), (1, 1)),
        input_channels=1,
        classes=2,
        mamba=mamba,
        generation=generation,
        deep_supervision=deep_supervision,
    )
    found = identify_official(network.state_dict())
    assert (found.generation, found.kind, found.mamba) == (generation, kind, mamba)
    assert found.every_head == deep_supervision


def test_other_networks_are_refused_by_their_weights() -> None:
    """nnU-Net's residual U-Net shares v1's encoder names."""
    names = ["encoder.stem.convs.0.conv.weight", "encoder.stages.0.blocks.0.conv1.conv.weight"]
    others = ["decoder.stages.0.convs.0.conv.weight", "decoder.transpconvs.0.weight"]
    message = (
        r"not the parameters of a U-Mamba of generation v1 or v2 .*, but decoder\.stages\.0\.convs\.0\.conv\.weight"
    )
    with pytest.raises(InputError, match=message):
        identify_official(dict.fromkeys([*names, *others], torch.zeros(1)))
    with pytest.raises(InputError, match="but none; give a model that U-Mamba, UU-Mamba or nnU-Net trained"):
        identify_official({})
    both = official_state() | {"encoder.mamba_layers.0.norm.weight": torch.zeros(1)}
    with pytest.raises(InputError, match="Mamba in one place"):
        identify_official(both)


@pytest.mark.parametrize("prefix", ["", "state/"])
def test_copies_and_prefix_are_dropped(prefix: str) -> None:
    """Each parameter arrives once, whatever the file repeats."""
    state = official_state()
    assert any(".all_modules." in name for name in state)
    network = network_from_official({prefix + name: t for name, t in state.items()}, CONFIG)
    assert torch.equal(network.mamba_layer.mamba.A_log, state["mamba.A_log"])
    assert torch.equal(network.encoder.stem.convs[0].conv.weight, state["encoder.stem.convs.0.conv.weight"])


def test_what_does_not_fit_is_named() -> None:
    """Missing, unexpected and wrongly shaped parameters, by name."""
    state = official_state()
    del state["ln.weight"]
    state["encoder.extra"] = torch.zeros(1)
    state["mamba.D"] = torch.zeros(3)
    message = (
        r"missing: mamba_layer.norm.weight; unexpected: encoder.extra; "
        r"wrongly shaped: mamba_layer.mamba.D \(3,\) instead of \(12,\)"
    )
    with pytest.raises(InputError, match=message):
        network_from_official(state, CONFIG)
    with pytest.raises(InputError, match=r"missing: .* and [0-9]+ more"):
        network_from_official({}, CONFIG)


@pytest.mark.parametrize("changed", [{"kind": "top"}, {"generation": "v3"}])
def test_unknown_networks(changed: dict[str, str]) -> None:
    """Only what was published can be loaded."""
    with pytest.raises(InputError, match="kind must be one of enc, bot, none and generation v1 or v2; got"):
        network_from_official({}, {**CONFIG, **changed})
