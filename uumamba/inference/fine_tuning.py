"""Fine-tuning: a network starts from the weights of a bundle, and says what it could not take from it."""

import math
from collections.abc import Collection, Sequence

import torch
from torch import nn

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import leaves
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, Plan
from uumamba.inference.bundle import Bundle, fresh_network
from uumamba.inference.network import network_of
from uumamba.models.mamba import MambaLayer
from uumamba.models.networks import NetworkSettings
from uumamba.models.topology import plan_topology

_TOPOLOGY = ("features", "kernels", "strides", "blocks_encoder", "blocks_decoder")
_SAME_SPACING = 0.01  # of the spacing


def start_from(network: nn.Module, bundle: Bundle, *, plan: Plan, settings: NetworkSettings) -> list[str]:
    """Copy a bundle's weights in place into `network`, which `settings` built for `plan`.

    Returns a sentence for everything that is new, left out, or other than the weights are used to. The heads are copied
    where names and order of the labels are the same, else all of them stay fresh. torch's random state is left alone.
    Raises `InputError`, and changes nothing, if the bundle has other input channels or another network, if its weights
    depend on another patch size, or if its tensors do not fit its own description.
    """
    with torch.device("meta"):
        trained = fresh_network(bundle)
        heads = _heads(plan, settings)
    theirs = bundle.description.plan
    _require_same_channels(bundle, plan)
    _require_same_network(bundle, plan, settings)
    _require_same_weights(network, trained, heads, bundle=bundle, plan=plan)
    same_labels = (theirs.labels.names, theirs.labels.regions) == (plan.labels.names, plan.labels.regions)
    own = network.state_dict()
    taken = {name: bundle.state[name] for name in own if name in bundle.state and (same_labels or name not in heads)}
    network.load_state_dict(own | taken)
    new = _about_levels(own, bundle.state) if same_labels else _about_labels(theirs.labels, plan.labels)
    return [*new, *_about_channels(theirs, plan), *_about_grid(theirs, plan)]


def _heads(plan: Plan, settings: NetworkSettings) -> set[str]:
    """The tensors that depend on the number of classes, those of deep supervision included."""
    more = LabelSet(names=(*plan.labels.names, f"structure {len(plan.labels.names)}"))
    small, large = (
        network_of(either, settings, deep_supervision=True).state_dict()
        for either in (plan, plan.model_copy(update={"labels": more}))
    )
    return {name for name, tensor in small.items() if tensor.shape != large[name].shape}


def _require_same_channels(bundle: Bundle, plan: Plan) -> None:
    theirs, ours = ([channel.name for channel in p.channels] for p in (bundle.description.plan, plan))
    if len(theirs) != len(ours):
        raise InputError(
            f"{bundle.path}: cannot start from it: its network needs the input channels {', '.join(theirs)} "
            f"({len(theirs)}), this data set has {', '.join(ours)} ({len(ours)}); take a bundle with as many, or start "
            "without one"
        )


def _require_same_network(bundle: Bundle, plan: Plan, settings: NetworkSettings) -> None:
    """Everything but the patch size; one `InputError` with all differences and the settings to take."""
    theirs = bundle.description.plan
    if theirs.configuration != plan.configuration:
        raise InputError(
            f"{bundle.path}: cannot start from it: its network is for {theirs.configuration}, this run's for "
            f"{plan.configuration}; take --set plan.configuration={theirs.configuration}"
        )
    wanted, given = (leaves(each.model_dump(mode="json")) for each in (bundle.description.network, settings))
    keys = [key for key in wanted if key not in given or wanted[key] != given[key]]
    parts = [part for part in _TOPOLOGY if getattr(theirs.topology, part) != getattr(plan.topology, part)]
    if not keys and not parts:
        return
    differences = [_difference(f"network.{key}", wanted[key], given.get(key, "without it")) for key in keys]
    differences += [_difference(part, getattr(theirs.topology, part), getattr(plan.topology, part)) for part in parts]
    ways_out = [f"--set network.{key}={_compact(wanted[key])}" for key in keys]
    ways_out += [_topology_settings(theirs.topology, plan)] if parts else []
    raise InputError(
        f"{bundle.path}: cannot start from it: its network has {', '.join(differences)}; take {' '.join(ways_out)}"
    )


def _require_same_weights(
    network: nn.Module, trained: nn.Module, heads: Collection[str], *, bundle: Bundle, plan: Plan
) -> None:
    """Networks that are the same but for the patch differ if Mamba layers take channels as tokens (v2 Enc)."""
    ours, theirs = (
        {name: tensor.shape for name, tensor in either.state_dict().items() if name not in heads}
        for either in (network, trained)
    )
    if ours != theirs or _token_grids(network) != _token_grids(trained):
        wanted = bundle.description.plan.topology
        raise InputError(
            f"{bundle.path}: cannot start from it: its weights depend on the patch size, and it has "
            f"{_difference('patch_size', wanted.patch_size, plan.patch_size)}; take {_topology_settings(wanted, plan)}"
        )


def _token_grids(network: nn.Module) -> dict[str, tuple[int, ...] | None]:
    """What shapes do not tell: whether a Mamba layer's features are channels, or voxels and of which grid."""
    return {name: module.grid for name, module in network.named_modules() if isinstance(module, MambaLayer)}


def _topology_settings(wanted: Topology, plan: Plan) -> str:
    """The settings that give `plan` a topology, or the words that none do."""
    same_blocks = set(wanted.blocks_encoder) == {wanted.blocks_encoder[0]}
    sizes = {
        "base_features": wanted.features[0],
        "max_features": max(wanted.features),
        "max_stages": len(wanted.features),
    } | ({"blocks": wanted.blocks_encoder[0]} if same_blocks else {})
    spacing_mm = plan.spacing_mm[-plan.spatial_dims :]
    try:
        planned = plan_topology(wanted.patch_size, spacing_mm, **sizes)
    except ConfigError:
        planned = plan.topology
    # Blocks that differ from stage to stage come with the kind of the network.
    parts = ("patch_size", *(_TOPOLOGY if same_blocks else _TOPOLOGY[:3]))
    if any(getattr(planned, part) != getattr(wanted, part) for part in parts):
        return (
            f"another bundle, or start without one: no setting of plan makes that topology at this data set's spacing, "
            f"{_millimetres(spacing_mm)}"
        )
    values = {"patch_size": _compact(wanted.patch_size), **sizes}
    return " ".join(f"--set plan.{key}={value}" for key, value in values.items())


def _about_labels(theirs: LabelSet, ours: LabelSet) -> list[str]:
    new, known = (", ".join(labels.members) if labels.regions is None else labels.in_words for labels in (ours, theirs))
    return [f"the heads for {new} are new: the bundle knows {known}"]


def _about_levels(ours: Collection[str], theirs: Collection[str]) -> list[str]:
    if set(ours) - set(theirs):
        return ["the heads below full resolution are new: the bundle was trained without deep supervision"]
    if set(theirs) - set(ours):
        return ["the bundle's heads below full resolution are left out: this run has no deep supervision"]
    return []


def _about_channels(theirs: Plan, ours: Plan) -> list[str]:
    sentences = []
    for number, (old, new) in enumerate(zip(theirs.channels, ours.channels, strict=True)):
        if old.name != new.name:
            sentences.append(f"input channel {number} is {new.name}, the bundle was trained with {old.name}")
        if _normalisation(old) != _normalisation(new):
            sentences.append(
                f"input channel {number} is normalised by {_normalisation(new)}, the bundle's by {_normalisation(old)}"
            )
    return sentences


def _normalisation(channel: Channel) -> str:
    where = " within the mask" if channel.mask_for_normalization else ""
    if channel.normalization != "ct":
        return channel.normalization + where
    known = channel.statistics
    return (
        f"ct{where} (clipped to {known.percentile_00_5:g} to {known.percentile_99_5:g}, mean {known.mean:g}, standard "
        f"deviation {known.std:g})"
    )


def _about_grid(theirs: Plan, ours: Plan) -> list[str]:
    sentences = []
    old, new = (plan.spacing_mm[-plan.spatial_dims :] for plan in (theirs, ours))
    if not all(math.isclose(a, b, rel_tol=_SAME_SPACING) for a, b in zip(old, new, strict=True)):
        sentences.append(
            f"voxels are {_millimetres(new)}, the bundle's were {_millimetres(old)}: structures look smaller or larger"
        )
    old_axes, new_axes = (f"{plan.orientation} axes {_compact(plan.seen_axes)}" for plan in (theirs, ours))
    if old_axes != new_axes:
        sentences.append(f"images are seen in {new_axes}, the bundle saw them in {old_axes}")
    return sentences


def _difference(name: str, theirs: object, ours: object) -> str:
    return f"{name} {_compact(theirs)} (here {_compact(ours)})"


def _compact(value: object) -> str:
    """A value as `--set` reads it, without blanks that a shell would part it at."""
    if not isinstance(value, tuple | list):
        return "null" if value is None else str(value)
    return str(value).replace("(", "[").replace(")", "]").replace(" ", "")


def _millimetres(spacing_mm: Sequence[float]) -> str:
    return " x ".join(f"{size:g}" for size in spacing_mm) + " mm"
