"""nnU-Net's plans, old and new, and every reason to refuse them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.nnunet_folder import NAMES, TOPOLOGIES, flat_plans, nested_plans
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.nnunet_plans import ORIENTATION_KEY, has_flat_keys, read_nnunet_plan
from uumamba.data.plan import Plan

LABELS = LabelSet(names=("background", "cavity", "wall"), ignore=3)


def read(plans: dict[str, Any], configuration: str = "3d_fullres", channels: tuple[str, ...] = ("MRI",)) -> Plan:
    """One configuration of plans that lie in plans.json."""
    return read_nnunet_plan(plans, configuration, labels=LABELS, channels=channels, where="plans.json")


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("make", [flat_plans, nested_plans])
def test_old_and_new_keys_say_the_same(make: Callable[[int], dict[str, Any]], dims: int) -> None:
    plan = read(make(dims), NAMES[dims])
    assert plan.topology == TOPOLOGIES[dims]
    assert (plan.dataset, plan.configuration, plan.labels) == ("Dataset027_ACDC", NAMES[dims], LABELS)
    assert (plan.axes, plan.spacing_mm, plan.median_shape) == ((2, 1, 0), (5.0, 1.5, 1.5), (4, 20, 18))
    assert (plan.batch_size, plan.batch_dice, plan.orientation) == (2, dims == 2, "stored")
    (channel,) = plan.channels
    assert (channel.name, channel.normalization, channel.mask_for_normalization) == ("MRI", "z-score", False)
    assert (channel.statistics.mean, channel.statistics.percentile_99_5) == (0.0, 6.0)
    assert has_flat_keys(make(dims)) == (make is flat_plans)


@pytest.mark.parametrize(("forward", "axes"), [([0, 1, 2], (2, 1, 0)), ([2, 0, 1], (0, 2, 1)), ([1, 0, 2], (1, 2, 0))])
def test_axes_count_the_other_way_round(forward: list[int], axes: tuple[int, ...]) -> None:
    assert read(flat_plans(3) | {"transpose_forward": forward}).axes == axes


def test_our_own_key_says_that_images_were_turned() -> None:
    assert read(flat_plans(3) | {ORIENTATION_KEY: "canonical"}).orientation == "canonical"


@pytest.mark.parametrize("make", [flat_plans, nested_plans])
def test_a_configuration_inherits_what_it_does_not_say(make: Callable[[int], dict[str, Any]]) -> None:
    plans = make(3)
    plans["configurations"] |= {
        "middle": {"inherits_from": "3d_fullres", "batch_size": 9, "batch_dice": True},
        "last": {"inherits_from": "middle", "batch_size": 11},
    }
    plan = read(plans, "last")
    assert (plan.batch_size, plan.batch_dice) == (11, True)
    assert plan.model_copy(update={"batch_size": 2, "batch_dice": False}) == read(plans)


def test_residual_encoder_plans_name_blocks_otherwise() -> None:
    plans = nested_plans(3)
    arguments = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    arguments["n_blocks_per_stage"] = arguments.pop("n_conv_per_stage")
    assert read(plans) == read(nested_plans(3))


def test_statistics_by_modality() -> None:
    plans = flat_plans(3)
    plans["foreground_intensity_properties_by_modality"] = plans.pop("foreground_intensity_properties_per_channel")
    assert read(plans) == read(flat_plans(3))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("normalization_schemes", ["RGBTo01Normalization"], r"normalization_schemes\.0 is 'RGBTo01Normalization'"),
        ("normalization_schemes", ["RescaleTo01Normalization"], "Input should be 'ZScoreNormalization', 'CTNormal"),
        ("resampling_fn_data", "resample_torch_simple", "resampling_fn_data is 'resample_torch_simple': Input should"),
        ("resampling_fn_probabilities", "no_resampling", "resampling_fn_probabilities is 'no_resampling'"),
        (
            "resampling_fn_data_kwargs",
            {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
            r"resampling_fn_data_kwargs\.order is 1: Input should be 3; such a model cannot be imported",
        ),
        (
            "resampling_fn_probabilities_kwargs",
            {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": True},
            r"resampling_fn_probabilities_kwargs\.force_separate_z is True",
        ),
        (
            "resampling_fn_seg_kwargs",
            {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None, "memefficient": True},
            r"resampling_fn_seg_kwargs\.memefficient is True: Extra inputs are not permitted",
        ),
        ("preprocessor_name", "OwnPreprocessor", "preprocessor_name is 'OwnPreprocessor'"),
        ("previous_stage", "3d_lowres", "previous_stage is '3d_lowres'; a stage of a cascade cannot be imported"),
        ("next_stage", "3d_cascade_fullres", "next_stage is '3d_cascade_fullres'; a stage of a cascade cannot"),
        ("batch_size", "many", "batch_size is 'many': Input should be a valid integer"),
        ("spacing", [1.5, 1.5], r"spacing has 2 entries, must have 3 \(3 axes of the patch, 1 channels\); take plans"),
        ("use_mask_for_norm", [False, True], "use_mask_for_norm has 2 entries, must have 1"),
    ],
)
def test_what_is_done_otherwise_here_is_refused_by_key_and_value(key: str, value: Any, message: str) -> None:
    plans = flat_plans(3)
    plans["configurations"]["3d_fullres"][key] = value
    with pytest.raises(InputError, match=r"plans\.json: configuration 3d_fullres: .*" + message):
        read(plans)


@pytest.mark.parametrize("value", ["NibabelIOWithReorient", "NaturalImage2DIO"])
def test_readers_that_give_other_voxels_are_refused(value: str) -> None:
    with pytest.raises(InputError, match=rf"plans\.json: image_reader_writer is '{value}': Input should be 'SimpleITK"):
        read(flat_plans(3) | {"image_reader_writer": value})
    assert read(flat_plans(3) | {"image_reader_writer": "NibabelIO"}) == read(flat_plans(3))


@pytest.mark.parametrize("key", ["patch_size", "conv_kernel_sizes", "resampling_fn_data"])
def test_what_is_missing_is_named(key: str) -> None:
    plans = flat_plans(3)
    del plans["configurations"]["3d_fullres"][key]
    with pytest.raises(InputError, match=f"3d_fullres: {key} is missing; take the plans that the network was trained"):
        read(plans)


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"plans\.json: no configuration '3d_lowres'; there are 3d_fullres"):
        read(flat_plans(3), "3d_lowres")
    with pytest.raises(InputError, match=r"plans\.json: configurations is missing"):
        read({})


def test_a_circle_of_heirs() -> None:
    plans = flat_plans(3)
    plans["configurations"] |= {"a": {"inherits_from": "b"}, "b": {"inherits_from": "a"}}
    with pytest.raises(InputError, match=r"plans\.json: configurations a, b inherit from each other in a circle"):
        read(plans, "a")


def test_an_axis_that_is_named_twice() -> None:
    with pytest.raises(InputError, match="transpose_forward without repeats has 2 entries, must have 3"):
        read(flat_plans(3) | {"transpose_forward": [0, 0, 2]})


def test_more_channels_than_the_plans_know() -> None:
    with pytest.raises(InputError, match="normalization_schemes has 1 entries, must have 2"):
        read(flat_plans(3), channels=("MRI", "T2"))


@pytest.mark.parametrize("parent", [["3d_fullres"], 3, {"name": "3d_fullres"}])
def test_a_parent_that_is_no_name(parent: object) -> None:
    plans = flat_plans(3)
    plans["configurations"]["heir"] = {"inherits_from": parent}
    message = (
        r"plans\.json: configuration heir: inherits_from must be a configuration's name, got .*; there are 3d_full"
    )
    with pytest.raises(InputError, match=message):
        read(plans, "heir")


def test_very_many_heirs() -> None:
    plans = flat_plans(3)
    plans["configurations"] |= {f"{i}": {"inherits_from": f"{i - 1}" if i else "3d_fullres"} for i in range(2000)}
    assert read(plans, "1999") == read(flat_plans(3))


@pytest.mark.parametrize("keys", [("1",), ("MRI",), ("0", "1"), ()])
def test_statistics_that_are_not_numbered_from_0(keys: tuple[str, ...]) -> None:
    plans = flat_plans(3)
    statistics = plans["foreground_intensity_properties_per_channel"]["0"]
    plans["foreground_intensity_properties_per_channel"] = dict.fromkeys(keys, statistics)
    listed = ", ".join(keys) or "none"
    with pytest.raises(InputError, match=f"per_channel must have the keys 0, got {listed}; take plans"):
        read(plans)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("spacing", [5.0, 0, 1.5], r"spacing\.1 is 0: Input should be greater than 0; such a model"),
        ("spacing", [5.0, 1.5, -1], r"spacing\.2 is -1: Input should be greater than 0"),
        ("median_image_size_in_voxels", [4, 0, 18], r"median_image_size_in_voxels\.1 is 0: Input should be greater"),
        ("batch_size", 0, "batch_size is 0: Input should be greater than 0"),
        ("patch_size", [4, -16, 16], r"patch_size\.1 is -16: Input should be greater than 0"),
        ("pool_op_kernel_sizes", [[1, 1, 1], [0, 2, 2], [2, 2, 2]], r"pool_op_kernel_sizes\.1\.0 is 0: Input should"),
        ("conv_kernel_sizes", [[1, 3, 3], [3, 3, 3], [3, 3, 0]], r"conv_kernel_sizes\.2\.2 is 0: Input should"),
        ("UNet_base_num_features", 0, "UNet_base_num_features is 0: Input should"),
        ("unet_max_num_features", 0, "unet_max_num_features is 0: Input should"),
        ("n_conv_per_stage_encoder", [1, 0, 1], r"n_conv_per_stage_encoder\.1 is 0: Input should"),
        ("n_conv_per_stage_decoder", [1, 0], r"n_conv_per_stage_decoder\.1 is 0: Input should"),
    ],
)
def test_sizes_that_are_not_positive(key: str, value: Any, message: str) -> None:
    plans = flat_plans(3)
    plans["configurations"]["3d_fullres"][key] = value
    with pytest.raises(InputError, match=r"plans\.json: configuration 3d_fullres: " + message):
        read(plans)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("features_per_stage", [4, 0, 8]),
        ("kernel_sizes", [[1, 3, 3], [3, 0, 3], [3, 3, 3]]),
        ("strides", [[1, 1, 1], [1, 0, 2], [2, 2, 2]]),
        ("n_conv_per_stage", [1, 0, 1]),
        ("n_conv_per_stage_decoder", [1, 0]),
    ],
)
def test_sizes_of_an_architecture_that_are_not_positive(key: str, value: Any) -> None:
    plans = nested_plans(3)
    plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"][key] = value
    with pytest.raises(
        InputError, match=rf"architecture\.arch_kwargs\.{key}\.1.* is 0: Input should be greater than 0"
    ):
        read(plans)


@pytest.mark.parametrize("key", ["original_median_spacing_after_transp", "original_median_shape_after_transp"])
def test_sizes_of_the_data_set_that_are_not_positive(key: str) -> None:
    with pytest.raises(InputError, match=rf"plans\.json: {key}\.0 is 0: Input should be greater than 0"):
        read(flat_plans(3) | {key: [0, 1, 1]})


def test_a_patch_that_the_strides_do_not_divide() -> None:
    plans = flat_plans(3)
    plans["configurations"]["3d_fullres"]["patch_size"] = [4, 16, 18]
    message = (
        r"3d_fullres: patch_size must be multiples of \[2, 4, 4\], which .* got \[4, 16, 18\]; take the plans that"
    )
    with pytest.raises(InputError, match=message):
        read(plans)
