"""A model folder as nnU-Net leaves it: plans.json, dataset.json, and a checkpoint in a folder for each fold."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.versions import installed_versions
from uumamba.data.nnunet_dataset import read_nnunet_dataset
from uumamba.data.nnunet_plans import architecture_of, has_flat_keys, read_nnunet_plan
from uumamba.data.plan import Plan
from uumamba.inference.bundle import BundleDescription, Origin, TrainingRecord
from uumamba.inference.nnunet_checkpoint import NnunetCheckpoint, read_nnunet_checkpoint
from uumamba.models.networks import NetworkSettings
from uumamba.models.nnunet_names import identify_nnunet, network_from_nnunet, require_same_architecture
from uumamba.models.official import OfficialNetwork, identify_official, network_from_official
from uumamba.models.umamba import UMambaSettings

_FOLD = re.compile(r"all|[0-9]+")
_CHECKPOINT = re.compile(r"(?!\.{1,2}\Z)[^/\\*?\[\]]+")
_BEST = "checkpoint_best.pth"
_SHOWN = 3
_KIND_IN_NAME = re.compile(r"umamba_?(enc|bot)", re.IGNORECASE)


def find_folds(folder: Path, checkpoint: str) -> tuple[str, ...]:
    """The folds that have a checkpoint of this name: the numbered ones or, if there is none, "all", as nnU-Net takes.

    Raises `InputError` that names the checkpoints that there are, if there is none of this name.
    """
    _require_checkpoint_name(checkpoint)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a model folder of nnU-Net, which holds fold_0 and the like")
    names = [path.name.removeprefix("fold_") for path in folder.glob("fold_*") if (path / checkpoint).is_file()]
    found = [name for name in names if _FOLD.fullmatch(name)]
    if found:
        return tuple(sorted((fold for fold in found if fold != "all"), key=int)) or ("all",)
    others = ", ".join(sorted(str(path.relative_to(folder)) for path in folder.glob("fold_*/*.pth"))) or "none"
    raise InputError(
        f"{folder}: no {checkpoint} in a fold_* of it; checkpoints there: {others}; choose one with --checkpoint NAME, "
        "or give the folder that holds fold_0 and the like"
    )


def read_fold(folder: Path, fold: str, checkpoint: str) -> tuple[BundleDescription, Mapping[str, Tensor]]:
    """Description and weights, under our names, of one fold's network.

    plans.json and dataset.json are those of the folder or, where it has none, of the checkpoint. What kind of network
    it is, the weights say. Raises `InputError` for what cannot be read, is neither U-Mamba nor a network of nnU-Net's
    own, holds NaN or infinity, or is preprocessed otherwise.
    """
    _require_checkpoint_name(checkpoint)
    if not _FOLD.fullmatch(fold):
        raise InputError(f"--fold {fold}: must be a number (0, 1, ...) or all; leave it out to take every fold")
    path = folder / f"fold_{fold}" / checkpoint
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; folds with a {checkpoint}: {', '.join(find_folds(folder, checkpoint))}"
        )
    read = read_nnunet_checkpoint(path)
    plans, where = _own_or_checkpoints(folder / "plans.json", read.plans, path)
    content, dataset_where = _own_or_checkpoints(folder / "dataset.json", read.dataset, path)
    dataset = read_nnunet_dataset(content, dataset_where)
    plan = read_nnunet_plan(plans, read.configuration, labels=dataset.labels, channels=dataset.channels, where=where)
    network, kind, state = _network(read, plan, architecture_of(plans, read.configuration, where=where), where)
    _require_finite(state, path)
    description = BundleDescription(
        plan=plan,
        network=network,
        mirrored_axes=_image_axes(read, plan),
        training=TrainingRecord(epochs=read.epoch, fold=int(fold) if fold.isdecimal() else fold),
        origin=Origin(
            folder=folder.resolve().name,
            checkpoint=f"fold_{fold}/{checkpoint}",
            checkpoint_sha256=read.sha256,
            trainer=read.trainer,
            plans=str(plans.get("plans_name")),
            configuration=read.configuration,
            nnunet="2, plans with flat keys" if has_flat_keys(plans) else "2, plans with an architecture",
            contradictions=_contradictions(folder, plans, read, kind),
        ),
        versions=installed_versions(),
        licence=dataset.licence or "unknown",
        citation=dataset.reference,
    )
    return description, state


def _require_checkpoint_name(checkpoint: str) -> None:
    if not _CHECKPOINT.fullmatch(checkpoint):
        raise InputError(
            f"--checkpoint {checkpoint}: must be the name of a file in each fold, without folders and without any of "
            f"*?[]; give one such as {_BEST}"
        )


def _require_finite(state: Mapping[str, Tensor], path: Path) -> None:
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        another = "another checkpoint with --checkpoint NAME" if path.name == _BEST else f"--checkpoint {_BEST}"
        raise InputError(
            f"{path}: weights must be finite, {len(broken)} tensors hold NaN or infinity: "
            f"{', '.join(broken[:_SHOWN])}{more}; take {another}"
        )


def _own_or_checkpoints(
    path: Path, in_checkpoint: Mapping[str, Any] | None, checkpoint: Path
) -> tuple[Mapping[str, Any], str]:
    """The folder's JSON object or the checkpoint's, and where it was found."""
    if not path.is_file() and in_checkpoint is not None:
        return in_checkpoint, f"{path.name} of {checkpoint}"
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(content).__name__}; copy it again")
    return content, str(path)


def _network(
    read: NnunetCheckpoint, plan: Plan, architecture: Mapping[str, Any] | None, where: str
) -> tuple[NetworkSettings, str, Mapping[str, Tensor]]:
    """What the weights are of, in our settings and in one word, and they themselves under our names."""
    nnunet = identify_nnunet(read.weights)
    if nnunet is None:
        found = identify_official(read.weights)
        state = network_from_official(read.weights, _network_config(plan, found)).state_dict()
        return UMambaSettings(mamba=found.mamba, generation=found.generation), found.kind, state
    if architecture is not None:
        place = f"{where}: configuration {read.configuration}"
        require_same_architecture(architecture, plan.topology, residual=nnunet.residual, where=place)
    network = network_from_nnunet(
        read.weights,
        plan.topology,
        residual=nnunet.residual,
        input_channels=len(plan.channels),
        classes=plan.labels.outputs,
    )
    return nnunet, nnunet.name, network.state_dict()


def _network_config(plan: Plan, found: OfficialNetwork) -> dict[str, Any]:
    return {
        "input_channels": len(plan.channels),
        "classes": plan.labels.outputs,
        "patch": plan.topology.patch_size,
        "features": plan.topology.features,
        "kernels": plan.topology.kernels,
        "strides": plan.topology.strides,
        "n_conv_enc": plan.topology.blocks_encoder,
        "n_conv_dec": plan.topology.blocks_decoder,
        "generation": found.generation,
        "kind": found.kind,
        "every_head": found.every_head,
    }


def _image_axes(checkpoint: NnunetCheckpoint, plan: Plan) -> tuple[int, ...]:
    """The image axes along which the network may be mirrored; the checkpoint counts the axes of the patch."""
    if not set(checkpoint.mirrored) <= set(range(plan.spatial_dims)):
        raise InputError(
            f"{checkpoint.path}: inference_allowed_mirroring_axes must be among 0..{plan.spatial_dims - 1}, got "
            f"{checkpoint.mirrored}; it belongs to another plan"
        )
    return tuple(sorted(plan.seen_axes[axis] for axis in checkpoint.mirrored))


def _contradictions(
    folder: Path, plans: Mapping[str, Any], checkpoint: NnunetCheckpoint, network: str
) -> tuple[str, ...]:
    """What folder, checkpoint and weights say differently; the weights are believed, then the folder's plans."""
    said = []
    folder_name = folder.resolve().name
    for what, name in (("folder's name", folder_name), ("trainer's name", checkpoint.trainer)):
        kind = _KIND_IN_NAME.search(name)
        if kind and kind[1].lower() != network:
            said.append(f"The {what}, {name}, says {kind[1].lower()}; the weights say {network} and were believed.")
    parts = folder_name.split("__")
    if len(parts) == 3 and parts[2] != checkpoint.configuration:
        said.append(
            f"The folder's name, {folder_name}, says {parts[2]}; "
            f"the checkpoint says {checkpoint.configuration} and was believed."
        )
    own = checkpoint.plans
    if own is not None and own.get("configurations") != plans["configurations"]:
        said.append("The configurations of plans.json differ from those in the checkpoint; plans.json was believed.")
    return tuple(said)
