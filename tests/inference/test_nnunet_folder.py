"""A published model folder gives the label maps that nnU-Net itself gives, and says where it comes from."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from tests.fakes.nnunet_folder import (
    NAMES,
    TOPOLOGIES,
    checkpoint_of,
    dataset_json,
    flat_plans,
    nested_plans,
    published_state,
    small_network,
    write_model_folder,
)
from tests.fakes.nnunet_stock import SinglePrecision, stock_label_map, stock_of_published
from tests.fakes.scan import STORAGES, scan
from uumamba.core.errors import InputError
from uumamba.data.preprocess import preprocess_case
from uumamba.imaging.files import read_image, read_label_map, write_image
from uumamba.imaging.orientation import Orientation
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.nnunet_folder import find_folds, read_fold
from uumamba.inference.predictor import Predictor
from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings
from uumamba.models.nnunet_names import nnunet_class_architecture, nnunet_names
from uumamba.models.umamba import UMambaSettings

OFFICIAL = Path(__file__).parents[2].parent / "shared" / "parity" / "official_model"
EVERY_NETWORK = [
    (UMambaSettings(mamba=mamba, generation=generation), dims)
    for mamba, generation, dims in product(("encoder", "bottleneck", "none"), ("v1", "v2"), (2, 3))
]
ENCODER = UMambaSettings(mamba="encoder", generation="v1")
CHECKPOINT = "checkpoint_final.pth"


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock predictor in single precision, so that label maps can be equal."""
    monkeypatch.setattr("nnunetv2.inference.predict_from_raw_data.torch", SinglePrecision())


def bundle_of(folder: Path, target: Path, fold: str = "0") -> Bundle:
    """The folder's fold, written and read again."""
    description, state = read_fold(folder, fold, CHECKPOINT)
    write_bundle(target, state=state, description=description)
    return read_bundle(target)


@pytest.mark.parametrize(("settings", "dims"), EVERY_NETWORK, ids=str)
def test_every_published_network_arrives(settings: UMambaSettings, dims: int, tmp_path: Path) -> None:
    bundle = bundle_of(write_model_folder(tmp_path, settings, dims), tmp_path / "b.safetensors")
    network = small_network(settings, dims)
    assert bundle.description.network == settings
    assert bundle.description.plan.topology == TOPOLOGIES[dims]
    assert bundle.description.plan.configuration == NAMES[dims]
    assert bundle.state.keys() == network.state_dict().keys()
    assert all(torch.equal(bundle.state[name], tensor) for name, tensor in network.state_dict().items())
    assert bundle.description.origin is not None
    assert bundle.description.origin.contradictions == ()


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_label_maps_are_nnunets_however_the_image_is_stored(storage: Orientation, dims: int, tmp_path: Path) -> None:
    folder = write_model_folder(tmp_path, ENCODER, dims)
    write_image(tmp_path / "image.nii.gz", scan(storage))
    stock = stock_of_published(folder, small_network(ENCODER, dims), NAMES[dims])
    expected = stock_label_map(stock, tmp_path / "image.nii.gz")
    predictor = Predictor([bundle_of(folder, tmp_path / "b.safetensors")])
    ours = predictor.predict([read_image(tmp_path / "image.nii.gz")])
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(ours, expected)


def test_canonical_axes_would_show_the_network_another_image(tmp_path: Path) -> None:
    """The reason for plans that keep the stored axes."""
    bundle, image = bundle_of(write_model_folder(tmp_path, ENCODER, 2), tmp_path / "b.safetensors"), scan(STORAGES[1])
    plan = bundle.description.plan
    assert plan.orientation == "stored"
    stored = preprocess_case([image], plan).data
    canonical = preprocess_case([image], plan.model_copy(update={"orientation": "canonical"})).data
    np.testing.assert_allclose(stored, canonical[:, :, ::-1, ::-1], atol=1e-5)
    assert not np.allclose(stored, canonical, atol=1e-1)


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the published numbers (shared/parity) are not beside this checkout")
def test_the_published_model_gives_its_published_numbers(tmp_path: Path) -> None:
    (folder,) = OFFICIAL.iterdir()
    predictor = Predictor([bundle_of(folder, tmp_path / "b.safetensors", fold="all")])
    image = read_image(folder / "case" / "image.nii.gz")
    logits = predictor.predict_logits(torch.from_numpy(preprocess_case([image], predictor.plan).data))
    expected = np.load(folder / "case" / "expected_logits_zyx.npz")["logits"]
    np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-4)
    labels = read_label_map(folder / "case" / "expected_labels.nii.gz").data
    np.testing.assert_array_equal(predictor.predict([image]), labels)


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


def nnunets_folder(root: Path, settings: Any, dims: int, **arch_kwargs: Any) -> tuple[Path, nnUNetPredictor]:
    """What nnU-Net itself trains: a model folder with its own class, and the stock predictor with that network."""
    topology = TOPOLOGIES[dims]
    architecture = nnunet_class_architecture(topology, residual=settings.residual)
    plans = flat_plans(dims)
    plans["configurations"][NAMES[dims]]["architecture"] = architecture
    torch.manual_seed(0)
    theirs = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        3,
        deep_supervision=False,
    )
    theirs.load_state_dict(nnunet_names(small_network(settings, dims).state_dict()))
    architecture["arch_kwargs"] |= arch_kwargs
    arguments = {"plans": plans, "configuration": NAMES[dims], "fold": 0, "dataset_json": dataset_json()}
    folder = write_model_folder(
        root, settings, dims, plans=plans, network_weights=theirs.state_dict(), init_args=arguments
    )
    return folder, stock_of_published(folder, theirs, NAMES[dims])


NNUNETS = pytest.mark.parametrize("settings", [NnunetPlainSettings(), NnunetResEncMSettings()], ids=str)


@pytest.mark.usefixtures("single_precision")
@NNUNETS
@pytest.mark.parametrize("dims", [2, 3])
def test_nnunets_own_networks_arrive_and_give_its_label_maps(settings: Any, dims: int, tmp_path: Path) -> None:
    folder, stock = nnunets_folder(tmp_path, settings, dims)
    bundle = bundle_of(folder, tmp_path / "b.safetensors")
    assert bundle.description.network == settings
    assert bundle.description.origin is not None
    assert bundle.description.origin.contradictions == ()
    write_image(tmp_path / "image.nii.gz", scan())
    expected = stock_label_map(stock, tmp_path / "image.nii.gz")
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(Predictor([bundle]).predict([scan()]), expected)


@NNUNETS
def test_nnunets_own_networks_from_old_plans(settings: Any, tmp_path: Path) -> None:
    description, _ = read_fold(write_model_folder(tmp_path, settings, 2), "0", CHECKPOINT)
    assert description.network == settings
    assert description.plan.topology == TOPOLOGIES[2]


def test_weights_that_fit_a_network_that_computes_otherwise(tmp_path: Path) -> None:
    folder, _ = nnunets_folder(tmp_path, NnunetPlainSettings(), 2, nonlin="torch.nn.ReLU")
    message = r"plans\.json: configuration 2d: nonlin is 'torch\.nn\.ReLU', must be 'torch\.nn\.LeakyReLU'"
    with pytest.raises(InputError, match=message):
        read_fold(folder, "0", CHECKPOINT)


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
