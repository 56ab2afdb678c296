"""One configuration of nnU-Net's `plans.json` as a `Plan`; nnU-Net itself is not needed.

nnU-Net's axes count (z, y, x), ours (x, y, z). What our preprocessing would do otherwise than the plans say is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan

ORIENTATION_KEY = "uumamba_orientation"
"""Our own key in plans.json: "canonical" says that the network was trained on images in canonical axes."""

NORMALIZATIONS = {"ZScoreNormalization": "z-score", "CTNormalization": "ct", "NoNormalization": "none"}
"""nnU-Net's normalisation schemes that there are here, by our names."""

_CASCADE_KEYS = ("previous_stage", "next_stage")


class _Read(BaseModel):
    """The keys of a JSON object that matter here; the others are left alone."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, populate_by_name=True)


_AnyRead = TypeVar("_AnyRead", bound=_Read)


class _Arguments(Settings):
    """Arguments of the resampling; closed, since any other one would give other voxels."""

    order_z: Literal[0]
    force_separate_z: None


class _ImageArguments(_Arguments):
    is_seg: Literal[False]
    order: Literal[3]


class _LabelArguments(_Arguments):
    is_seg: Literal[True]
    order: Literal[1]


class _LogitArguments(_Arguments):
    is_seg: Literal[False]
    order: Literal[1]


class _Configurations(_Read):
    configurations: dict[str, dict[str, Any]]


class _Configuration(_Read):
    preprocessor_name: Literal["DefaultPreprocessor"]
    batch_size: PositiveInt
    batch_dice: bool
    patch_size: tuple[PositiveInt, ...]
    spacing: tuple[PositiveFloat, ...]
    median_image_size_in_voxels: tuple[PositiveFloat, ...]
    normalization_schemes: tuple[Literal["ZScoreNormalization", "CTNormalization", "NoNormalization"], ...]
    use_mask_for_norm: tuple[bool, ...]
    resampling_fn_data: Literal["resample_data_or_seg_to_shape"]
    resampling_fn_data_kwargs: _ImageArguments
    resampling_fn_seg: Literal["resample_data_or_seg_to_shape"]
    resampling_fn_seg_kwargs: _LabelArguments
    resampling_fn_probabilities: Literal["resample_data_or_seg_to_shape"]
    resampling_fn_probabilities_kwargs: _LogitArguments


class _Architecture(_Read):
    features_per_stage: tuple[PositiveInt, ...]
    kernel_sizes: tuple[tuple[PositiveInt, ...], ...]
    strides: tuple[tuple[PositiveInt, ...], ...]
    n_conv_per_stage: tuple[PositiveInt, ...] = Field(
        validation_alias=AliasChoices("n_conv_per_stage", "n_blocks_per_stage")
    )
    n_conv_per_stage_decoder: tuple[PositiveInt, ...]


class _ArchitectureArguments(_Read):
    arch_kwargs: _Architecture


class _NestedArchitecture(_Read):
    architecture: _ArchitectureArguments


class _FlatArchitecture(_Read):
    """The same before plans had an `architecture`, as U-Mamba and UU-Mamba leave them."""

    UNet_base_num_features: PositiveInt
    unet_max_num_features: PositiveInt
    conv_kernel_sizes: tuple[tuple[PositiveInt, ...], ...]
    pool_op_kernel_sizes: tuple[tuple[PositiveInt, ...], ...]
    n_conv_per_stage_encoder: tuple[PositiveInt, ...]
    n_conv_per_stage_decoder: tuple[PositiveInt, ...]


class _Plans(_Read):
    dataset_name: str
    image_reader_writer: Literal["SimpleITKIO", "NibabelIO"]
    label_manager: Literal["LabelManager"] = "LabelManager"
    transpose_forward: tuple[Literal[0, 1, 2], Literal[0, 1, 2], Literal[0, 1, 2]]
    original_median_spacing_after_transp: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    original_median_shape_after_transp: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    statistics: dict[str, IntensityStatistics] = Field(
        validation_alias=AliasChoices(
            "foreground_intensity_properties_per_channel", "foreground_intensity_properties_by_modality"
        )
    )
    orientation: Literal["canonical", "stored"] = Field(default="stored", validation_alias=ORIENTATION_KEY)


def read_nnunet_plan(
    plans: Mapping[str, Any], configuration: str, *, labels: LabelSet, channels: Sequence[str], where: str
) -> Plan:
    """One configuration of nnU-Net's plans, with old keys or new ones, and with what it inherits.

    Images are taken as they are stored, as nnU-Net takes them, unless `ORIENTATION_KEY` says otherwise. `where` names
    the plans in errors. Raises `InputError` with key and value for what is missing, not understood, part of a cascade,
    or done otherwise here: reader, preprocessor, normalisation, resampling.
    """
    place = f"{where}: configuration {configuration}"
    found = _resolve(_validated(_Configurations, plans, where).configurations, configuration, where)
    for key in _CASCADE_KEYS:
        if found.get(key):
            raise InputError(f"{place}: {key} is {found[key]!r}; a stage of a cascade cannot be imported")
    whole, settings = _validated(_Plans, plans, where), _validated(_Configuration, found, place)
    _require_entries(whole, settings, channels, place)
    topology = _topology(settings, _architecture(found, place), place)
    leading = 3 - len(settings.spacing)
    shape = (*whole.original_median_shape_after_transp[:leading], *settings.median_image_size_in_voxels)
    return Plan.model_validate(
        {
            "dataset": whole.dataset_name,
            "configuration": "2d" if len(settings.patch_size) == 2 else "3d_fullres",
            "labels": labels,
            "channels": [
                Channel.model_validate(
                    {
                        "name": name,
                        "normalization": NORMALIZATIONS[settings.normalization_schemes[number]],
                        "mask_for_normalization": settings.use_mask_for_norm[number],
                        "statistics": whole.statistics[str(number)],
                    }
                )
                for number, name in enumerate(channels)
            ],
            "orientation": whole.orientation,
            "axes": [2 - axis for axis in whole.transpose_forward],
            "spacing_mm": [*whole.original_median_spacing_after_transp[:leading], *settings.spacing],
            "median_shape": [round(size) for size in shape],
            "batch_size": settings.batch_size,
            "batch_dice": settings.batch_dice,
            "topology": topology,
        }
    )


def architecture_of(plans: Mapping[str, Any], configuration: str, *, where: str) -> Mapping[str, Any] | None:
    """The `architecture` of a configuration, its own or inherited; None in plans with old keys."""
    return _resolve(plans["configurations"], configuration, where).get("architecture")


def has_flat_keys(plans: Mapping[str, Any]) -> bool:
    """Whether no configuration has an `architecture`: plans as nnU-Net wrote them before it had that key."""
    return not any("architecture" in configuration for configuration in plans["configurations"].values())


def _resolve(configurations: Mapping[str, Mapping[str, Any]], name: str, where: str) -> dict[str, Any]:
    """A configuration with the keys of those that it inherits from; its own keys win."""
    heirs: list[str] = []
    found: dict[str, Any] = {}
    parent: Any = name
    while parent is not None:
        if not isinstance(parent, str):
            raise InputError(
                f"{where}: configuration {heirs[-1]}: inherits_from must be a configuration's name, got {parent!r}; "
                f"there are {', '.join(configurations)}"
            )
        if parent in heirs:
            raise InputError(f"{where}: configurations {', '.join(heirs)} inherit from each other in a circle")
        if parent not in configurations:
            raise InputError(f"{where}: no configuration {parent!r}; there are {', '.join(configurations)}")
        heirs.append(parent)
        found = {**configurations[parent], **found}
        parent = configurations[parent].get("inherits_from")
    return found


def _architecture(found: Mapping[str, Any], place: str) -> _Architecture:
    """The network's sizes per stage, from new keys or old ones."""
    if "architecture" in found:
        return _validated(_NestedArchitecture, found, place).architecture.arch_kwargs
    flat = _validated(_FlatArchitecture, found, place)
    return _Architecture(
        features_per_stage=tuple(
            min(flat.UNet_base_num_features * 2**stage, flat.unet_max_num_features)
            for stage in range(len(flat.conv_kernel_sizes))
        ),
        kernel_sizes=flat.conv_kernel_sizes,
        strides=flat.pool_op_kernel_sizes,
        n_conv_per_stage=flat.n_conv_per_stage_encoder,
        n_conv_per_stage_decoder=flat.n_conv_per_stage_decoder,
    )


def _topology(settings: _Configuration, architecture: _Architecture, place: str) -> Topology:
    """The network's sizes; all the strides together must divide the patch."""
    topology = Topology(
        patch_size=settings.patch_size,
        features=architecture.features_per_stage,
        kernels=architecture.kernel_sizes,
        strides=architecture.strides,
        blocks_encoder=architecture.n_conv_per_stage,
        blocks_decoder=architecture.n_conv_per_stage_decoder,
    )
    if any(size % stride for size, stride in zip(topology.patch_size, topology.total_stride, strict=True)):
        raise InputError(
            f"{place}: patch_size must be multiples of {list(topology.total_stride)}, which the strides multiply to, "
            f"got {list(topology.patch_size)}; take the plans that the network was trained with"
        )
    return topology


def _require_entries(whole: _Plans, settings: _Configuration, channels: Sequence[str], place: str) -> None:
    """Lists must have one entry per axis or per channel, and the channels' statistics must be numbered from 0."""
    axes = len(settings.patch_size)
    lengths = {
        "spacing": (len(settings.spacing), axes),
        "median_image_size_in_voxels": (len(settings.median_image_size_in_voxels), axes),
        "normalization_schemes": (len(settings.normalization_schemes), len(channels)),
        "use_mask_for_norm": (len(settings.use_mask_for_norm), len(channels)),
        "transpose_forward without repeats": (len(set(whole.transpose_forward)), 3),
    }
    for key, (found, expected) in lengths.items():
        if found != expected:
            raise InputError(
                f"{place}: {key} has {found} entries, must have {expected} ({axes} axes of the patch, {len(channels)} "
                "channels); take plans.json and dataset.json of one training"
            )
    numbers = [str(number) for number in range(len(channels))]
    if whole.statistics.keys() != set(numbers):
        raise InputError(
            f"{place}: foreground_intensity_properties_per_channel must have the keys {', '.join(numbers)}, got "
            f"{', '.join(whole.statistics) or 'none'}; take plans.json and dataset.json of one training"
        )


def _validated(model: type[_AnyRead], content: Mapping[str, Any], place: str) -> _AnyRead:
    """`content` as a `model`; else the first problem with its key and value."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        detail = error.errors()[0]
        key = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "missing":
            raise InputError(f"{place}: {key} is missing; take the plans that the network was trained with") from None
        raise InputError(
            f"{place}: {key} is {detail['input']!r}: {detail['msg']}; such a model cannot be imported"
        ) from None
