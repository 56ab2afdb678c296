"""What a network takes from a bundle, what it says about the rest, and what it refuses."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from uumamba.config import load_config
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.plan import Plan
from uumamba.inference.bundle import Bundle
from uumamba.inference.fine_tuning import start_from
from uumamba.inference.network import network_of
from uumamba.models.baselines import NnunetPlainSettings
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.networks import NetworkSettings
from uumamba.models.topology import plan_topology
from uumamba.models.umamba import UMambaSettings

MakeBundle = Callable[..., Bundle]
SETTINGS = UMambaSettings(mamba="none")
SMALL: dict[str, Any] = {"base_features": 4, "max_features": 8, "max_stages": 3, "blocks": 1}
UMAMBAS = [
    UMambaSettings.model_validate({"mamba": m, "generation": g})
    for m in ("none", "bottleneck", "encoder")
    for g in ("v1", "v2")
]
NETWORKS: list[NetworkSettings] = [*UMAMBAS, *(kind() for kind in get_args(get_args(NetworkSettings)[0])[1:])]


def fresh(plan: Plan, settings: NetworkSettings = SETTINGS, *, deep_supervision: bool = True) -> nn.Module:
    torch.manual_seed(99)
    return network_of(plan, settings, deep_supervision=deep_supervision)


def start(
    bundle: Bundle, plan: Plan, settings: NetworkSettings = SETTINGS, *, deep_supervision: bool = True
) -> tuple[nn.Module, set[str], list[str]]:
    """A network that has started, the names of the tensors that stayed fresh, and the sentences."""
    network = fresh(plan, settings, deep_supervision=deep_supervision)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    sentences = start_from(network, bundle, plan=plan, settings=settings)
    after = network.state_dict()
    taken = {name for name in after if name in bundle.state and torch.equal(after[name], bundle.state[name])}
    assert all(torch.equal(after[name], before[name]) for name in after.keys() - taken)
    return network, set(after) - taken, sentences


def relabelled(plan: Plan, *names: str) -> Plan:
    return plan.model_copy(update={"labels": LabelSet(names=("background", *names))})


def reshaped(plan: Plan, **changes: Any) -> Plan:
    return plan.model_copy(update={"topology": replace(plan.topology, **changes)})


@pytest.mark.parametrize("settings", NETWORKS, ids=repr)
def test_the_same_task_takes_every_weight_and_says_nothing(
    settings: NetworkSettings, plan: Plan, make_bundle: MakeBundle
) -> None:
    bundle = make_bundle(seed=3, network=settings)
    network, stayed, sentences = start(bundle, plan, settings)
    assert (stayed, sentences) == (set(), [])
    x = torch.randn(1, 1, 16, 16)
    other = fresh(plan, settings)
    other.load_state_dict(dict(bundle.state))
    with torch.no_grad():
        assert torch.equal(network.eval()(x), other.eval()(x))


@pytest.mark.parametrize("names", [("aorta",), ("cavity", "muscle"), ("wall", "cavity"), ("a", "b", "c")])
@pytest.mark.parametrize("settings", NETWORKS, ids=repr)
def test_other_labels_keep_fresh_heads(
    settings: NetworkSettings, names: tuple[str, ...], plan: Plan, make_bundle: MakeBundle
) -> None:
    """Other numbers, other names, another order; everything else is the bundle's."""
    _, stayed, sentences = start(make_bundle(seed=3, network=settings), relabelled(plan, *names), settings)
    heads = {f"decoder.seg_layers.{stage}.weight" for stage in range(2)}
    assert heads <= stayed <= heads | {name.replace("weight", "bias") for name in heads}
    assert sentences == [f"the heads for {', '.join(names)} are new: the bundle knows cavity, wall"]


REGIONS = LabelSet(names=("background", "cavity", "wall"), regions=((1, 2), (2,)), written=(1, 2))


def test_regions_take_the_heads_of_the_same_regions_alone(plan: Plan, make_bundle: MakeBundle) -> None:
    """The same names as labels of one number each are other heads."""
    regions = plan.model_copy(update={"labels": REGIONS})
    same, other = make_bundle(seed=3, plan=regions), make_bundle(seed=3)
    assert start(same, regions)[1:] == (set(), [])
    _, stayed, sentences = start(other, regions)
    assert {f"decoder.seg_layers.{stage}.weight" for stage in range(2)} <= stayed
    assert sentences == ["the heads for 1+2 cavity, 2 wall are new: the bundle knows cavity, wall"]


def test_weights_are_copied_in_place_and_no_random_number_is_drawn(plan: Plan, make_bundle: MakeBundle) -> None:
    bundle, network = make_bundle(seed=3), fresh(plan)
    storage, stream = [p.data_ptr() for p in network.parameters()], torch.get_rng_state()
    start_from(network, bundle, plan=plan, settings=SETTINGS)
    assert [p.data_ptr() for p in network.parameters()] == storage
    assert torch.equal(torch.get_rng_state(), stream)
    with torch.no_grad():
        next(network.parameters()).fill_(7)
    assert not any(torch.all(tensor == 7) for tensor in bundle.state.values())


def test_deep_supervision_on_one_side_alone(plan: Plan, make_bundle: MakeBundle) -> None:
    _, stayed, sentences = start(make_bundle(seed=3, deep_supervision=False), plan)
    assert "decoder.seg_layers.0.weight" in stayed
    assert all(name.startswith("decoder.seg_layers.0.") for name in stayed)
    assert sentences == ["the heads below full resolution are new: the bundle was trained without deep supervision"]
    _, stayed, sentences = start(make_bundle(seed=3), plan, deep_supervision=False)
    assert stayed == set()
    assert sentences == ["the bundle's heads below full resolution are left out: this run has no deep supervision"]


def test_another_patch_of_the_same_stages(plan: Plan, make_bundle: MakeBundle) -> None:
    _, stayed, sentences = start(make_bundle(seed=3), reshaped(plan, patch_size=(32, 24)))
    assert (stayed, sentences) == (set(), [])


@pytest.mark.parametrize("patch_size", [(8, 8), (4, 4), (16, 4), (16, 8)])
def test_tokens_that_are_channels_need_the_same_patch(
    patch_size: tuple[int, int], plan: Plan, make_bundle: MakeBundle
) -> None:
    """Trained with 4 x 4 voxels and 16 channels below: refused are 2 x 2 and, of the same shapes, 8 x 2 and 8 x 4.

    8 x 4 voxels are more than channels, so there voxels are the tokens and the weights mean something else.
    """
    settings = UMambaSettings(mamba="encoder", generation="v2")
    wide = plan_topology((8, 8), plan.spacing_mm[1:], base_features=8, max_features=16, max_stages=2, blocks=1)
    trained = plan.model_copy(update={"topology": wide})
    bundle = make_bundle(seed=3, network=settings, plan=trained)
    run = reshaped(trained, patch_size=patch_size)
    if patch_size == (8, 8):
        assert start(bundle, run, settings)[1:] == (set(), [])
        return
    here = str(list(patch_size)).replace(" ", "")
    message = f"its weights depend on the patch size, and it has patch_size [8,8] (here {here}); take "
    way_out = (
        "--set plan.patch_size=[8,8] --set plan.base_features=8 --set plan.max_features=16 --set plan.max_stages=2"
    )
    with pytest.raises(InputError, match=re.escape(message + way_out)):
        start(bundle, run, settings)


def test_other_input_channels_are_refused(plan: Plan, make_bundle: MakeBundle) -> None:
    run = plan.model_copy(update={"channels": (*plan.channels, plan.channels[0].model_copy(update={"name": "T2"}))})
    message = r"needs the input channels MRI \(1\), this data set has MRI, T2 \(2\); take a bundle with as many"
    with pytest.raises(InputError, match=message):
        start(make_bundle(), run)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mamba": "encoder"}, "its network has network.mamba none (here encoder); take --set network.mamba=none"),
        (
            {"mamba": "bottleneck", "generation": "v2"},
            "has network.mamba none (here bottleneck), network.generation v1 (here v2); take --set network.mamba=none "
            "--set network.generation=v1",
        ),
        (
            {"mamba": "none", "decoder": {"name": "freqfusion", "stages": [0, 1]}},
            "its network has network.decoder.name unet (here freqfusion); take --set network.decoder.name=unet",
        ),
    ],
)
def test_another_place_or_generation(settings: Any, message: str, plan: Plan, make_bundle: MakeBundle) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        start(make_bundle(), plan, UMambaSettings.model_validate(settings))


def test_the_way_out_of_another_decoder_can_be_taken(plan: Plan, make_bundle: MakeBundle) -> None:
    """Its settings are read back by --set."""
    fused = UMambaSettings(mamba="none", decoder=FreqFusionDecoderSettings(stages=(0, 1)))
    bundle = make_bundle(seed=3, network=fused)
    with pytest.raises(InputError) as refused:
        start(bundle, plan)
    _, *ways_out = str(refused.value).partition("take ")[2].split("--set ")
    config = load_config(None, ["network.mamba=none", *(way.strip() for way in ways_out)])
    assert config.network == fused
    assert start(bundle, plan, fused)[1:] == (set(), [])


def test_another_kind_of_network(plan: Plan, make_bundle: MakeBundle) -> None:
    message = (
        "its network has network.name umamba (here nnunet_plain), network.mamba none (here without it), "
        "network.generation v1 (here without it), network.decoder.name unet (here without it); take --set "
        "network.name=umamba --set network.mamba=none --set network.generation=v1 --set network.decoder.name=unet"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        start(make_bundle(), plan, NnunetPlainSettings())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": (4, 8, 16)},
            "its network has features [4,8,8] (here [4,8,16]); take --set plan.patch_size=[16,16]",
        ),
        ({"strides": ((1, 1), (2, 1), (2, 2))}, "strides [[1,1],[2,2],[2,2]] (here [[1,1],[2,1],[2,2]])"),
        ({"kernels": ((3, 3), (3, 3), (1, 3))}, "kernels [[3,3],[3,3],[3,3]] (here [[3,3],[3,3],[1,3]])"),
        (
            {"blocks_encoder": (2, 1, 1), "blocks_decoder": (2, 1)},
            "has blocks_encoder [1,1,1] (here [2,1,1]), blocks_decoder [1,1] (here [2,1]); take --set plan.patch_size="
            "[16,16] --set plan.base_features=4 --set plan.max_features=8 --set plan.max_stages=3 --set plan.blocks=1",
        ),
    ],
)
def test_another_topology(changes: Any, message: str, plan: Plan, make_bundle: MakeBundle) -> None:
    """Strides too, though they change no shape of a residual network's weights."""
    bundle, network = make_bundle(), fresh(reshaped(plan, **changes))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(InputError) as raised:
        start_from(network, bundle, plan=reshaped(plan, **changes), settings=SETTINGS)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_advice_makes_the_bundles_topology_or_says_that_none_does(plan: Plan, make_bundle: MakeBundle) -> None:
    bundle, run = make_bundle(), reshaped(plan, features=(4, 8, 16))
    assert plan_topology((16, 16), run.spacing_mm[1:], **SMALL) == plan.topology
    anisotropic = run.model_copy(update={"spacing_mm": (8.0, 1.5, 6.0)})
    with pytest.raises(
        InputError, match=r"no setting of plan makes that topology at this data set's spacing, 1[.]5 x 6 mm"
    ):
        start(bundle, anisotropic)


def test_two_dimensions_against_three(plan: Plan, make_bundle: MakeBundle) -> None:
    run = plan.model_copy(update={"configuration": "3d_fullres"})
    with pytest.raises(InputError, match=r"is for 2d, this run's for 3d_fullres; take --set plan.configuration=2d"):
        start_from(fresh(plan), make_bundle(), plan=run, settings=SETTINGS)


def test_images_that_are_prepared_otherwise(plan: Plan, make_bundle: MakeBundle) -> None:
    (channel,) = plan.channels
    ct = channel.model_copy(update={"name": "CT", "normalization": "ct", "mask_for_normalization": True})
    run = plan.model_copy(
        update={"channels": (ct,), "spacing_mm": (2.0, 1.0, 1.0), "orientation": "stored", "axes": (0, 1, 2)}
    )
    _, stayed, sentences = start(make_bundle(seed=3), run)
    assert stayed == set()
    assert sentences == [
        "input channel 0 is CT, the bundle was trained with MRI",
        "input channel 0 is normalised by ct within the mask (clipped to -2 to 2, mean 0, standard deviation 1), the "
        "bundle's by z-score",
        "voxels are 1 x 1 mm, the bundle's were 1.5 x 1.5 mm: structures look smaller or larger",
        "images are seen in stored axes [1,2], the bundle saw them in canonical axes [1,0]",
    ]


def test_the_distance_between_slices_is_nothing_to_a_2d_network(plan: Plan, make_bundle: MakeBundle) -> None:
    assert start(make_bundle(seed=3), plan.model_copy(update={"spacing_mm": (10.0, 1.5, 1.505)}))[2] == []


def test_a_bundle_that_does_not_fit_itself(plan: Plan, make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    state: dict[str, Tensor] = {**bundle.state, "more": torch.ones(1)}
    with pytest.raises(InputError, match=r"its tensors do not fit its own description: .* superfluous .*more"):
        start(Bundle(bundle.description, state, bundle.path, ""), plan)
