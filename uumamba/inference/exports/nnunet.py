"""A bundle as a model folder of nnU-Net 2, which the stock predictor runs.

A U-Mamba runs there where uumamba is installed too, nnU-Net's own networks wherever nnU-Net is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from uumamba.core.errors import InputError
from uumamba.core.files import atomic, write_json, write_text
from uumamba.data.nnunet_dataset import nnunet_labels
from uumamba.data.nnunet_plans import NORMALIZATIONS, ORIENTATION_KEY
from uumamba.data.plan import Plan
from uumamba.inference.bundle import Bundle, BundleDescription, build_network
from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings
from uumamba.models.for_nnunet import nnunet_architecture
from uumamba.models.nnunet_names import nnunet_class_architecture, nnunet_names

_SCHEMES = {ours: theirs for theirs, ours in NORMALIZATIONS.items()}
_ORIENTATION = {
    "canonical": (
        "This network was trained on images turned to canonical axes, as docs/images.md of uumamba describes. nnU-Net "
        "does not turn images: its label maps are uumamba's only for images that are stored in canonical axes."
    ),
    "stored": "This network takes images in the axes that they are stored in, as nnU-Net gives them.",
}
_OURS = "nnU-Net builds the network from `plans.json`, so uumamba must be installed beside it:"
_THEIRS = "The network is nnU-Net's own, which needs nothing beside nnU-Net:"
_README = """# {dataset} {configuration}, for nnU-Net 2

Exported by uumamba from a bundle with SHA-256 {sha256}. Research use only: not a medical device.

{orientation}

{needs}

    nnUNetv2_predict_from_modelfolder -i IMAGES -o OUTPUT -m THIS_FOLDER -f 0 --disable_tta

nnU-Net does not do the post-processing that a bundle holds; nor does `uumamba infer --no-postprocessing`.
It wants images that are called NAME_0000{ending}, and on a machine without a GPU also `-device cpu`. Without
`--disable_tta` it mirrors, uumamba only with `--mirror`. It adds logits up in half precision, uumamba in single: some
voxels differ, most of them at the image's border, where the windows' weights are smallest.
"""


def export_nnunet(bundle: Bundle, folder: Path) -> str:
    """Write plans.json, dataset.json, README.md and fold_0/checkpoint_final.pth.

    The checkpoint holds tensors and plain values only. Raises `InputError` for an ignore label that nnU-Net refuses,
    and for a network of nnU-Net's own that lacks the heads of deep supervision.
    """
    description = bundle.description
    network = build_network(bundle)
    architecture = _architecture(bundle, every_head=bool(network.get_submodule("decoder").deep_supervision))
    state, theirs = network.state_dict(), _is_theirs(description)
    plans = _plans(description.plan, architecture)
    dataset = _dataset(description)
    # nnU-Net takes None for no mirroring and fails on an empty tuple.
    mirrored = description.plan.patch_axes(description.mirrored_axes) or None
    checkpoint = {
        "network_weights": nnunet_names(state) if theirs else dict(state),
        "trainer_name": "nnUNetTrainer",
        "init_args": {
            "plans": plans,
            "configuration": description.plan.configuration,
            "fold": 0,
            "dataset_json": dataset,
        },
        "inference_allowed_mirroring_axes": mirrored,
        "current_epoch": description.training.epochs,
    }
    orientation = _ORIENTATION[description.plan.orientation]
    readme = _README.format(
        dataset=description.plan.dataset,
        configuration=description.plan.configuration,
        sha256=bundle.sha256,
        orientation=orientation,
        needs=_THEIRS if theirs else _OURS,
        ending=dataset["file_ending"],
    )
    write_json(folder / "plans.json", plans)
    write_json(folder / "dataset.json", dataset)
    write_text(folder / "README.md", readme)
    with atomic(folder / "fold_0" / "checkpoint_final.pth") as temporary:
        torch.save(checkpoint, temporary)
    return orientation


def _is_theirs(description: BundleDescription) -> bool:
    return isinstance(description.network, NnunetPlainSettings | NnunetResEncMSettings)


def _architecture(bundle: Bundle, *, every_head: bool) -> dict[str, Any]:
    """What nnU-Net builds the network from: its own class where it has one."""
    network, topology = bundle.description.network, bundle.description.plan.topology
    if not isinstance(network, NnunetPlainSettings | NnunetResEncMSettings):
        return nnunet_architecture(
            topology,
            mamba=network.mamba,
            generation=network.generation,
            decoder=network.decoder,
            every_head=every_head,
        )
    if not every_head:
        raise InputError(
            f"{bundle.path}: trained without deep supervision, it has one head, and nnU-Net's own network has one per "
            "decoder stage; train it with --set training.deep_supervision=true"
        )
    return nnunet_class_architecture(topology, residual=network.residual)


def _plans(plan: Plan, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """plans.json with one configuration; the original images' spacing and shape are not known, but those planned."""
    return {
        "dataset_name": plan.dataset,
        "plans_name": "uumambaPlans",
        "original_median_spacing_after_transp": list(plan.spacing_mm),
        "original_median_shape_after_transp": list(plan.median_shape),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [2 - axis for axis in plan.axes],
        "transpose_backward": [plan.axes.index(2 - axis) for axis in range(3)],
        "configurations": {
            plan.configuration: _configuration(plan) | {"architecture": architecture},
        },
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(number): channel.statistics.model_dump() for number, channel in enumerate(plan.channels)
        },
        ORIENTATION_KEY: plan.orientation,
    }


def _configuration(plan: Plan) -> dict[str, Any]:
    first = 3 - plan.spatial_dims
    return {
        "data_identifier": f"uumambaPlans_{plan.configuration}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": plan.batch_size,
        "patch_size": list(plan.patch_size),
        "median_image_size_in_voxels": list(plan.median_shape)[first:],
        "spacing": list(plan.spacing_mm)[first:],
        "normalization_schemes": [_SCHEMES[channel.normalization] for channel in plan.channels],
        "use_mask_for_norm": [channel.mask_for_normalization for channel in plan.channels],
        **_resampling("resampling_fn_data", is_seg=False, order=3),
        **_resampling("resampling_fn_seg", is_seg=True, order=1),
        **_resampling("resampling_fn_probabilities", is_seg=False, order=1),
        "batch_dice": plan.batch_dice,
    }


def _resampling(key: str, *, is_seg: bool, order: int) -> dict[str, Any]:
    arguments = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}
    return {key: "resample_data_or_seg_to_shape", f"{key}_kwargs": arguments}


def _dataset(description: BundleDescription) -> dict[str, Any]:
    plan = description.plan
    return {
        "channel_names": {str(number): channel.name for number, channel in enumerate(plan.channels)},
        **nnunet_labels(plan.labels),
        "numTraining": len(description.training.cases),
        "file_ending": ".nii.gz",
        "name": plan.dataset,
        "description": f"Exported by uumamba. {_ORIENTATION[plan.orientation]}",
        "licence": description.licence,
        "reference": description.citation,
    }
