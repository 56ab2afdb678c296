"""A published network gives the label maps that nnU-Net itself gives."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from tests.fakes.nnunet_folder import (
    CHECKPOINT,
    NAMES,
    TOPOLOGIES,
    bundle_of,
    dataset_json,
    flat_plans,
    small_network,
    write_model_folder,
)
from tests.fakes.nnunet_stock import SinglePrecision, stock_label_map, stock_of_published
from tests.fakes.scan import STORAGES, scan
from uumamba.core.errors import InputError
from uumamba.data.preprocess import preprocess_case
from uumamba.imaging.files import read_image, read_label_map, write_image
from uumamba.imaging.orientation import Orientation
from uumamba.inference.nnunet_folder import read_fold
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


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock predictor in single precision, so that label maps can be equal."""
    monkeypatch.setattr("nnunetv2.inference.predict_from_raw_data.torch", SinglePrecision())


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
    ours = predictor.predict([read_image(tmp_path / "image.nii.gz")]).labels
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("dims", [2, 3])
def test_label_maps_of_regions_are_nnunets(dims: int, tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    regions = {"labels": labels, "regions_class_order": [1, 2, 3]}
    folder = write_model_folder(tmp_path, ENCODER, dims, dataset=dataset_json() | regions)
    write_image(tmp_path / "image.nii.gz", scan(STORAGES[1]))
    stock = stock_of_published(folder, small_network(ENCODER, dims), NAMES[dims])
    expected = stock_label_map(stock, tmp_path / "image.nii.gz")
    bundle = bundle_of(folder, tmp_path / "b.safetensors")
    prediction = Predictor([bundle]).predict([read_image(tmp_path / "image.nii.gz")])
    assert set(np.unique(expected)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(prediction.labels, expected)
    assert prediction.confidence.keys() == {"whole", "core", "enhancing"}
    assert "1+2+3 whole, 2+3 core, 3 enhancing" in bundle.description.model_card


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
    slabs = predictor.score_slabs(torch.from_numpy(preprocess_case([image], predictor.plan).data))
    logits = torch.cat(list(slabs), dim=1)
    expected = np.load(folder / "case" / "expected_logits_zyx.npz")["logits"]
    np.testing.assert_allclose(logits.numpy(), expected, rtol=0, atol=1e-4)
    labels = read_label_map(folder / "case" / "expected_labels.nii.gz").data
    np.testing.assert_array_equal(predictor.predict([image]).labels, labels)


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
    np.testing.assert_array_equal(Predictor([bundle]).predict([scan()]).labels, expected)


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
