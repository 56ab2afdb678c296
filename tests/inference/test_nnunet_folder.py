"""A published model folder gives the label maps that nnU-Net itself gives, and says where it comes from."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.nnunet_folder import (
    NAMES,
    TOPOLOGIES,
    small_network,
    write_model_folder,
)
from tests.fakes.nnunet_stock import stock_label_map, stock_of_published
from uumamba.imaging.files import read_image, write_image
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import Orientation, reorient
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.nnunet_folder import read_fold
from uumamba.inference.predictor import Predictor
from uumamba.models.umamba import UMambaSettings

OFFICIAL = Path(__file__).parents[2].parent / "shared" / "parity" / "official_model"
EVERY_NETWORK = [
    (UMambaSettings(mamba=mamba, generation=generation), dims)
    for mamba, generation, dims in product(("encoder", "bottleneck", "none"), ("v1", "v2"), (2, 3))
]
ENCODER = UMambaSettings(mamba="encoder", generation="v1")
CHECKPOINT = "checkpoint_final.pth"
STORAGES = [
    Orientation(axes=(0, 1, 2), flipped=(False, False, False)),
    Orientation(axes=(0, 1, 2), flipped=(True, True, False)),
    Orientation(axes=(0, 1, 2), flipped=(True, False, True)),
    Orientation(axes=(1, 0, 2), flipped=(False, True, False)),
    Orientation(axes=(2, 0, 1), flipped=(False, False, True)),
]


def bundle_of(folder: Path, target: Path, fold: str = "0") -> Bundle:
    """The folder's fold, written and read again."""
    description, state = read_fold(folder, fold, CHECKPOINT)
    write_bundle(target, state=state, description=description)
    return read_bundle(target)


def scan(storage: Orientation, spacing_mm: tuple[float, float, float] = (1.8, 1.8, 5.0)) -> Image:
    """A small noisy image with a ball, RAS but for how it is stored; at 1.5 mm it fits into one window in plane."""
    grid = np.indices((13, 12, 4)).astype(float)
    ball = sum((axis - center) ** 2 for axis, center in zip(grid, (5, 7, 1), strict=True)) < 14
    data = np.random.default_rng(1).normal(100, 30, ball.shape) + 150 * ball
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = (-20, 15, 7)
    return reorient(Image(data.astype(np.float32), affine), storage)


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net adds logits up in half precision, where near ties fall either way; here in single."""
    monkeypatch.setattr(torch, "half", torch.float32)


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
