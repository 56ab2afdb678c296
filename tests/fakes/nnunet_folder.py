"""Model folders as nnU-Net 2 leaves them for the published U-Mambas, of small untrained networks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from uumamba.core.topology import Topology
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.nnunet_folder import read_fold
from uumamba.models.blocks import ConvNormAct
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import UMambaSettings
from uumamba.models.unet import UNet

TOPOLOGIES = {
    2: Topology((16, 16), (4, 8, 8), ((3, 3),) * 3, ((1, 1), (2, 2), (2, 2)), (1, 2, 1), (1, 1)),
    3: Topology(
        (4, 16, 16), (4, 8, 8), ((1, 3, 3), (3, 3, 3), (3, 3, 3)), ((1, 1, 1), (1, 2, 2), (2, 2, 2)), (1, 2, 1), (1, 1)
    ),
}
NAMES = {2: "2d", 3: "3d_fullres"}
CHECKPOINT = "checkpoint_final.pth"
PLACES = {"encoder": "Enc", "bottleneck": "Bot", "none": "NoMamba"}


def published_state(network: UNet) -> dict[str, Tensor]:
    """A network's state under the published names, with the published copies."""
    state = dict(network.state_dict())
    for name, module in network.named_modules():
        if isinstance(module, ConvNormAct):
            for number, part in enumerate((module.conv, module.norm)):
                for parameter, tensor in part.state_dict().items():
                    state[f"{name}.all_modules.{number}.{parameter}"] = tensor
    state |= {f"decoder.{name}": tensor for name, tensor in state.items() if name.startswith("encoder.")}
    if hasattr(network.decoder, "transpconvs"):
        state = {
            name.replace("mamba_layer.norm.", "ln.").replace("mamba_layer.mamba.", "mamba."): tensor
            for name, tensor in state.items()
        }
    return state


def flat_plans(dims: int) -> dict[str, Any]:
    """plans.json with the keys that U-Mamba and UU-Mamba write; 5 x 1.5 x 1.5 mm."""
    topology, statistics = (
        TOPOLOGIES[dims],
        ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5"),
    )
    configuration: dict[str, Any] = {
        "data_identifier": f"nnUNetPlans_{NAMES[dims]}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(topology.patch_size),
        "median_image_size_in_voxels": [4.0, 20.0, 18.0][3 - dims :],
        "spacing": [5.0, 1.5, 1.5][3 - dims :],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "n_conv_per_stage_encoder": list(topology.blocks_encoder),
        "n_conv_per_stage_decoder": list(topology.blocks_decoder),
        "num_pool_per_axis": [1, 2, 2][3 - dims :],
        "pool_op_kernel_sizes": [list(stride) for stride in topology.strides],
        "conv_kernel_sizes": [list(kernel) for kernel in topology.kernels],
        "unet_max_num_features": 8,
        "batch_dice": dims == 2,
    }
    for key, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1)):
        configuration[f"resampling_fn_{key}"] = "resample_data_or_seg_to_shape"
        arguments = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}
        configuration[f"resampling_fn_{key}_kwargs"] = arguments
    return {
        "dataset_name": "Dataset027_ACDC",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [5.0, 1.5, 1.5],
        "original_median_shape_after_transp": [4, 20, 18],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {NAMES[dims]: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {name: float(number) for number, name in enumerate(statistics)}
        },
    }


def nested_plans(dims: int) -> dict[str, Any]:
    """The same plans with an `architecture`, as nnU-Net writes them today."""
    plans, topology = flat_plans(dims), TOPOLOGIES[dims]
    configuration = plans["configurations"][NAMES[dims]]
    for key in list(configuration):
        if key.startswith(("UNet", "unet", "n_conv", "num_pool", "pool_op", "conv_kernel")):
            del configuration[key]
    configuration["architecture"] = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": list(topology.features),
            "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
            "kernel_sizes": [list(kernel) for kernel in topology.kernels],
            "strides": [list(stride) for stride in topology.strides],
            "n_conv_per_stage": list(topology.blocks_encoder),
            "n_conv_per_stage_decoder": list(topology.blocks_decoder),
        },
        "_kw_requires_import": ["conv_op"],
    }
    return plans


def dataset_json() -> dict[str, Any]:
    """dataset.json with three labels."""
    return {
        "channel_names": {"0": "cineMRI"},
        "labels": {"background": 0, "cavity": 1, "wall": 2},
        "numTraining": 200,
        "file_ending": ".nii.gz",
        "licence": "CC BY 4.0",
    }


def small_network(settings: NetworkSettings, dims: int, *, seed: int = 0, deep_supervision: bool = True) -> UNet:
    """An untrained network of three stages, all of whose blocks count and none of whose classes prevails."""
    torch.manual_seed(seed)
    network = settings.build(TOPOLOGIES[dims], input_channels=1, classes=3, deep_supervision=deep_supervision)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        logits = network.eval()(torch.randn(1, 1, *TOPOLOGIES[dims].patch_size))
        network.decoder.seg_layers[-1].bias.sub_(logits.transpose(0, 1).flatten(1).mean(1))
    return network


def checkpoint_of(network: UNet, dims: int, **changes: Any) -> dict[str, Any]:
    """A checkpoint as nnU-Net's trainer fills it, numpy's numbers and all."""
    return {
        "network_weights": published_state(network),
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01, "params": [0, 1]}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.7)], "train_losses": [np.float32(1.9), np.float32(1.8)]},
        "_best_ema": np.float64(0.7),
        "current_epoch": 2,
        "init_args": {
            "plans": flat_plans(dims),
            "configuration": NAMES[dims],
            "fold": 0,
            "dataset_json": dataset_json(),
            "unpack_dataset": True,
            "device": torch.device("cuda"),
        },
        "trainer_name": "nnUNetTrainerUMambaEnc",
        "inference_allowed_mirroring_axes": tuple(range(dims)),
    } | changes


def write_model_folder(
    root: Path,
    settings: NetworkSettings,
    dims: int,
    *,
    folds: tuple[str, ...] = ("0",),
    plans: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """A model folder below `root`; each fold has other weights, and `changes` change every checkpoint."""
    name = f"nnUNetTrainerUMamba{PLACES[settings.mamba]}" if isinstance(settings, UMambaSettings) else "nnUNetTrainer"
    folder = root / f"{name}__nnUNetPlans__{NAMES[dims]}"
    for number, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir(parents=True)
        checkpoint = checkpoint_of(small_network(settings, dims, seed=number), dims, trainer_name=name) | changes
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(plans or flat_plans(dims)))
    (folder / "dataset.json").write_text(json.dumps(dataset or dataset_json()))
    return folder


def bundle_of(folder: Path, target: Path, fold: str = "0") -> Bundle:
    """A model folder's fold, imported, written and read again."""
    description, state = read_fold(folder, fold, CHECKPOINT)
    write_bundle(target, state=state, description=description)
    return read_bundle(target)
