"""A published model folder says where it comes from; what it lacks, and what does not fit, is named."""

import json
from pathlib import Path

import pytest

from tests.fakes.nnunet_folder import (
    CHECKPOINT,
    bundle_of,
    checkpoint_of,
    flat_plans,
    nested_plans,
    published_state,
    small_network,
    write_model_folder,
)
from uumamba.core.errors import InputError
from uumamba.inference.nnunet_folder import find_folds, read_fold
from uumamba.models.umamba import UMambaSettings

ENCODER = UMambaSettings(mamba="encoder", generation="v1")


def test_the_bundle_says_where_it_comes_from(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 3, folds=("3",))
    bundle = bundle_of(folder, tmp_path / "b.safetensors", fold="3")
    description = bundle.description
    origin = description.origin
    assert origin is not None
    assert (origin.folder, origin.checkpoint) == (folder.name, "fold_3/checkpoint_final.pth")
    assert (origin.trainer, origin.plans, origin.configuration) == (
        "nnUNetTrainerUMambaEnc",
        "nnUNetPlans",
        "3d_fullres",
    )
    assert origin.nnunet == "2, plans with flat keys"
    assert (description.training.epochs, description.training.fold) == (2, 3)
    assert description.labels.names == ("background", "cavity", "wall")
    assert description.licence == "CC BY 4.0"
    card = description.model_card
    for expected in (origin.checkpoint_sha256, f"folder: {folder.name}", "in the axes that they are stored in"):
        assert expected in card


@pytest.mark.parametrize(
    ("dims", "transpose", "mirrored", "image_axes"),
    [
        (3, [0, 1, 2], (0, 1, 2), (0, 1, 2)),
        (3, [0, 1, 2], (0,), (2,)),
        (3, [2, 0, 1], (0, 2), (0, 1)),
        (2, [0, 1, 2], (1,), (0,)),
        (2, [2, 0, 1], (0, 1), (1, 2)),
        (2, [0, 1, 2], None, ()),
    ],
)
def test_mirrored_axes_are_the_images(
    dims: int, transpose: list[int], mirrored: tuple[int, ...] | None, image_axes: tuple[int, ...], tmp_path: Path
) -> None:
    plans = flat_plans(dims) | {"transpose_forward": transpose}
    folder = write_model_folder(tmp_path, ENCODER, dims, plans=plans, inference_allowed_mirroring_axes=mirrored)
    description, _ = read_fold(folder, "0", CHECKPOINT)
    assert description.mirrored_axes == image_axes
    assert description.plan.patch_axes(description.mirrored_axes) == (mirrored or ())


def test_mirrored_axes_that_no_patch_has(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, inference_allowed_mirroring_axes=(0, 2))
    with pytest.raises(InputError, match=r"mirroring_axes must be among 0\.\.1, got \(0, 2\); it belongs to another"):
        read_fold(folder, "0", CHECKPOINT)


def test_plans_with_an_architecture_give_the_same_plan(tmp_path: Path) -> None:
    flat, _ = read_fold(write_model_folder(tmp_path / "flat", ENCODER, 3), "0", CHECKPOINT)
    nested = write_model_folder(tmp_path / "nested", ENCODER, 3, plans=nested_plans(3))
    description, _ = read_fold(nested, "0", CHECKPOINT)
    assert description.plan == flat.plan
    assert description.origin is not None
    assert description.origin.nnunet == "2, plans with an architecture"


def test_a_checkpoint_may_be_all_there_is(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2)
    whole, _ = read_fold(folder, "0", CHECKPOINT)
    (folder / "plans.json").unlink()
    (folder / "dataset.json").unlink()
    assert read_fold(folder, "0", CHECKPOINT)[0] == whole


def test_plans_are_nowhere(tmp_path: Path) -> None:
    arguments = checkpoint_of(small_network(ENCODER, 2), 2)["init_args"] | {"plans": None}
    folder = write_model_folder(tmp_path, ENCODER, 2, init_args=arguments)
    (folder / "plans.json").write_text("[]")
    with pytest.raises(InputError, match=r"plans\.json: must be a JSON object, got list; copy it again"):
        read_fold(folder, "0", CHECKPOINT)
    (folder / "plans.json").unlink()
    with pytest.raises(InputError, match=r"plans\.json: no such file"):
        read_fold(folder, "0", CHECKPOINT)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_are_taken_off(prefix: str, tmp_path: Path) -> None:
    state = published_state(small_network(ENCODER, 2))
    wrapped = {prefix + name: tensor for name, tensor in state.items()}
    folder = write_model_folder(tmp_path, ENCODER, 2, network_weights=wrapped)
    _, found = read_fold(folder, "0", CHECKPOINT)
    assert found.keys() == small_network(ENCODER, 2).state_dict().keys()


def test_one_head_is_found_too(tmp_path: Path) -> None:
    network = small_network(ENCODER, 2, deep_supervision=False)
    folder = write_model_folder(tmp_path, ENCODER, 2, network_weights=published_state(network))
    _, found = read_fold(folder, "0", CHECKPOINT)
    assert found.keys() == network.state_dict().keys()


def test_weights_win_over_names(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, UMambaSettings(mamba="bottleneck"), 2, trainer_name="nnUNetTrainerUMambaEnc")
    renamed = folder.rename(tmp_path / "nnUNetTrainerUMambaEnc__nnUNetPlans__3d_fullres")
    plans = json.loads((renamed / "plans.json").read_text())
    plans["configurations"]["2d"]["batch_size"] = 7
    (renamed / "plans.json").write_text(json.dumps(plans))
    description, _ = read_fold(renamed, "0", CHECKPOINT)
    assert (description.network.mamba, description.plan.configuration) == ("bottleneck", "2d")
    assert description.plan.batch_size == 7
    assert description.origin is not None
    assert description.origin.contradictions == (
        f"The folder's name, {renamed.name}, says enc; the weights say bot and were believed.",
        "The trainer's name, nnUNetTrainerUMambaEnc, says enc; the weights say bot and were believed.",
        f"The folder's name, {renamed.name}, says 3d_fullres; the checkpoint says 2d and was believed.",
        "The configurations of plans.json differ from those in the checkpoint; plans.json was believed.",
    )
    assert all(contradiction in description.model_card for contradiction in description.origin.contradictions)


def test_weights_of_another_plan_are_named(tmp_path: Path) -> None:
    plans = flat_plans(2)
    plans["configurations"]["2d"]["UNet_base_num_features"] = 8
    folder = write_model_folder(tmp_path, ENCODER, 2, plans=plans)
    with pytest.raises(InputError, match=r"does not fit the network of its config; .* wrongly shaped: .* instead of"):
        read_fold(folder, "0", CHECKPOINT)


@pytest.mark.parametrize(
    ("folds", "found"),
    [(("1", "0"), ("0", "1")), (("all",), ("all",)), (("all", "2"), ("2",)), (("10", "9"), ("9", "10"))],
)
def test_folds_are_those_that_nnunet_takes(folds: tuple[str, ...], found: tuple[str, ...], tmp_path: Path) -> None:
    assert find_folds(write_model_folder(tmp_path, ENCODER, 2, folds=folds), CHECKPOINT) == found


def test_no_fold(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2)
    (folder / "fold_0" / CHECKPOINT).rename(folder / "fold_0" / "checkpoint_best.pth")
    message = r"no checkpoint_final\.pth in a fold_\* of it; checkpoints there: fold_0/checkpoint_best\.pth; choose"
    with pytest.raises(InputError, match=message):
        find_folds(folder, CHECKPOINT)
    assert read_fold(folder, "0", "checkpoint_best.pth")[0].training.epochs == 2
    with pytest.raises(InputError, match=r"checkpoints there: none; .* or give the folder that holds fold_0"):
        find_folds(tmp_path, CHECKPOINT)
    with pytest.raises(InputError, match="nowhere: no such folder; give a model folder of nnU-Net"):
        find_folds(tmp_path / "nowhere", CHECKPOINT)


def test_a_fold_that_is_not_there(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "2"))
    with pytest.raises(InputError, match=r"fold_1/checkpoint_final\.pth: no such file; folds with a .*: 0, 2"):
        read_fold(folder, "1", CHECKPOINT)


@pytest.mark.parametrize("checkpoint", ["**.pth", "checkpoint_?est.pth", "[a-z].pth", "a/b.pth", "a\\b.pth", "", ".."])
def test_a_checkpoint_that_is_no_bare_name(checkpoint: str, tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2)
    message = r"must be the name of a file in each fold, without folders and without any of \*\?\[\]; give one such as"
    with pytest.raises(InputError, match="--checkpoint .*" + message):
        find_folds(folder, checkpoint)
    with pytest.raises(InputError, match=message):
        read_fold(folder, "0", checkpoint)


@pytest.mark.parametrize("fold", ["0/../fold_1", "-1", "", "best", "٣", "0 "])
def test_a_fold_that_is_no_number(fold: str, tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "1"))
    with pytest.raises(InputError, match=f"--fold {fold}: must be a number .* or all; leave it out to take every fold"):
        read_fold(folder, fold, CHECKPOINT)


def test_other_folders_are_no_folds(tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, 2, folds=("0", "old", "٣"))
    (folder / "fold_1" / CHECKPOINT).mkdir(parents=True)
    assert find_folds(folder, CHECKPOINT) == ("0",)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value: float, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in published_state(small_network(ENCODER, 2)).items()}
    state["decoder.seg_layers.1.bias"][0] = value
    folder = write_model_folder(tmp_path, ENCODER, 2, network_weights=state)
    message = (
        r"fold_0/checkpoint_final\.pth: weights must be finite, 1 tensors hold NaN or infinity: decoder\.seg_layers"
    )
    with pytest.raises(InputError, match=message + r"\.1\.bias; take --checkpoint checkpoint_best\.pth"):
        read_fold(folder, "0", CHECKPOINT)
    (folder / "fold_0" / CHECKPOINT).rename(folder / "fold_0" / "checkpoint_best.pth")
    with pytest.raises(InputError, match="take another checkpoint with --checkpoint NAME"):
        read_fold(folder, "0", "checkpoint_best.pth")


def test_weights_too_large_for_single_precision_are_not_finite(tmp_path: Path) -> None:
    state = {name: 1e300 * tensor.double() for name, tensor in published_state(small_network(ENCODER, 2)).items()}
    folder = write_model_folder(tmp_path, ENCODER, 2, network_weights=state)
    with pytest.raises(InputError, match=r"tensors hold NaN or infinity: .*, .*, .* and \d+ more; take "):
        read_fold(folder, "0", CHECKPOINT)
