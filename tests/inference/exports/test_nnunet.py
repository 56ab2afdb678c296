"""nnU-Net's own predictor loads what we export and gives our label map."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.nnunet_folder import NAMES, flat_plans, small_network
from tests.fakes.nnunet_stock import SinglePrecision, stock_label_map, stock_of_exported
from tests.fakes.scan import STORAGES, scan
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.nnunet_plans import ORIENTATION_KEY, read_nnunet_plan
from uumamba.imaging.files import write_image
from uumamba.imaging.orientation import Orientation
from uumamba.inference.bundle import Bundle, BundleDescription, read_bundle, write_bundle
from uumamba.inference.exports.nnunet import export_nnunet
from uumamba.inference.exports.table import EXPORTERS, find_exporter
from uumamba.inference.nnunet_folder import read_fold
from uumamba.inference.predictor import Predictor
from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import NoMambaSettings, UMambaSettings

NETWORKS = [
    (UMambaSettings(mamba=mamba, generation=generation), dims)
    for mamba, generation, dims in product(("encoder", "bottleneck", "none"), ("v1", "v2"), (2, 3))
]
NNUNETS = [(settings, dims) for settings, dims in product((NnunetPlainSettings(), NnunetResEncMSettings()), (2, 3))]
ENCODER = UMambaSettings(mamba="encoder", generation="v1")
PLAIN = LabelSet(names=("background", "cavity", "wall"))
REGIONS = LabelSet(
    names=("background", "all", "some", "one"), regions=((1, 2, 3), (1, 3), (3,)), written=(2, 1, 3), ignore=4
)


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock predictor in single precision, so that label maps can be equal."""
    monkeypatch.setattr("nnunetv2.inference.predict_from_raw_data.torch", SinglePrecision())


def trained(
    settings: NetworkSettings,
    dims: int,
    folder: Path,
    *,
    orientation: str = "canonical",
    deep_supervision: bool = True,
    labels: LabelSet = PLAIN,
) -> Bundle:
    """A bundle as training leaves it, on images in canonical axes; or as an import does, on stored ones."""
    plans = flat_plans(dims) | {ORIENTATION_KEY: orientation}
    plan = read_nnunet_plan(plans, NAMES[dims], labels=labels, channels=("MRI",), where="plans")
    description = BundleDescription(
        plan=plan, network=settings, mirrored_axes=(0, 1), licence="CC BY 4.0", citation="x"
    )
    network = small_network(settings, dims, deep_supervision=deep_supervision)
    write_bundle(folder / "model.safetensors", state=network.state_dict(), description=description)
    return read_bundle(folder / "model.safetensors")


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("shape", [(13, 12, 4), (33, 29, 7)], ids=["one window", "many windows"])
@pytest.mark.parametrize(("settings", "dims"), [*NETWORKS, *NNUNETS], ids=str)
def test_nnunet_gives_our_label_map(
    settings: NetworkSettings, dims: int, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    bundle, image = trained(settings, dims, tmp_path), scan(shape=shape)
    export_nnunet(bundle, tmp_path / "exported")
    write_image(tmp_path / "image.nii.gz", image)
    labels = stock_label_map(stock_of_exported(tmp_path / "exported"), tmp_path / "image.nii.gz")
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(Predictor([bundle]).predict([image]).labels, labels)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(("settings", "dims"), [(ENCODER, 2), (ENCODER, 3), (NnunetPlainSettings(), 2)], ids=str)
def test_regions_too(settings: NetworkSettings, dims: int, mirror: bool, tmp_path: Path) -> None:
    """Overlapping ones, written in their order; what is imported again is the same."""
    bundle, image = trained(settings, dims, tmp_path, labels=REGIONS), scan(shape=(33, 29, 7))
    export_nnunet(bundle, tmp_path / "exported")
    write_image(tmp_path / "image.nii.gz", image)
    labels = stock_label_map(stock_of_exported(tmp_path / "exported", mirror=mirror), tmp_path / "image.nii.gz")
    assert set(np.unique(labels)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(Predictor([bundle], mirror=mirror).predict([image]).labels, labels)
    description, state = read_fold(tmp_path / "exported", "0", "checkpoint_final.pth")
    assert description.plan == bundle.description.plan
    assert all(torch.equal(state[name], bundle.state[name]) for name in state)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("dims", [2, 3])
def test_mirrored_too(dims: int, tmp_path: Path) -> None:
    bundle, image = trained(ENCODER, dims, tmp_path), scan()
    export_nnunet(bundle, tmp_path / "exported")
    write_image(tmp_path / "image.nii.gz", image)
    labels = stock_label_map(stock_of_exported(tmp_path / "exported", mirror=True), tmp_path / "image.nii.gz")
    np.testing.assert_array_equal(Predictor([bundle], mirror=True).predict([image]).labels, labels)


@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_stored_axes_are_exact_and_canonical_ones_only_where_they_are_stored(
    storage: Orientation, tmp_path: Path
) -> None:
    image = scan(storage)
    write_image(tmp_path / "image.nii.gz", image)
    same = {}
    for orientation in ("stored", "canonical"):
        bundle = trained(ENCODER, 2, tmp_path / orientation, orientation=orientation)
        notice = export_nnunet(bundle, tmp_path / orientation / "exported")
        assert notice in (tmp_path / orientation / "exported" / "README.md").read_text()
        labels = stock_label_map(stock_of_exported(tmp_path / orientation / "exported"), tmp_path / "image.nii.gz")
        same[orientation] = bool((Predictor([bundle]).predict([image]).labels == labels).all())
    assert same == {"stored": True, "canonical": storage == STORAGES[0]}


@pytest.mark.parametrize("dims", [2, 3])
def test_the_stock_predictor_as_it_is(dims: int, tmp_path: Path) -> None:
    """Half precision moves few voxels, though in an untrained network many are near ties."""
    bundle, image = trained(ENCODER, dims, tmp_path), scan(shape=(33, 29, 7))
    export_nnunet(bundle, tmp_path / "exported")
    write_image(tmp_path / "image.nii.gz", image)
    labels = stock_label_map(stock_of_exported(tmp_path / "exported"), tmp_path / "image.nii.gz")
    assert (Predictor([bundle]).predict([image]).labels == labels).mean() > 0.99


@pytest.mark.parametrize(("settings", "dims"), NETWORKS, ids=str)
@pytest.mark.parametrize("deep_supervision", [True, False])
def test_what_is_imported_again_is_the_same(
    settings: NetworkSettings, dims: int, deep_supervision: bool, tmp_path: Path
) -> None:
    bundle = trained(settings, dims, tmp_path, deep_supervision=deep_supervision)
    export_nnunet(bundle, tmp_path / "exported")
    description, state = read_fold(tmp_path / "exported", "0", "checkpoint_final.pth")
    assert description.plan == bundle.description.plan
    assert description.network == settings
    assert description.mirrored_axes == (0, 1)
    assert (description.licence, description.citation) == ("CC BY 4.0", "x")
    assert state.keys() == bundle.state.keys()
    assert all(torch.equal(state[name], bundle.state[name]) for name in state)


@pytest.mark.parametrize(("settings", "dims"), NNUNETS, ids=str)
def test_nnunets_own_networks_go_as_its_own_classes(settings: NetworkSettings, dims: int, tmp_path: Path) -> None:
    """nnU-Net needs nothing of ours to run them; imported again they are the same."""
    bundle = trained(settings, dims, tmp_path)
    export_nnunet(bundle, tmp_path / "exported")
    network = stock_of_exported(tmp_path / "exported").network
    assert type(network).__module__ == "dynamic_network_architectures.architectures.unet"
    assert "needs nothing beside nnU-Net" in (tmp_path / "exported" / "README.md").read_text()
    description, state = read_fold(tmp_path / "exported", "0", "checkpoint_final.pth")
    assert (description.plan, description.network) == (bundle.description.plan, settings)
    assert state.keys() == bundle.state.keys()
    assert all(torch.equal(state[name], bundle.state[name]) for name in state)


def test_nnunets_own_networks_with_one_head_are_refused(tmp_path: Path) -> None:
    bundle = trained(NnunetPlainSettings(), 2, tmp_path, deep_supervision=False)
    with pytest.raises(InputError, match=r"it has one head, .* train it with --set training\.deep_supervision=true"):
        export_nnunet(bundle, tmp_path / "exported")


def test_u_mamba_without_mamba_goes_as_u_mamba(tmp_path: Path) -> None:
    export_nnunet(trained(NoMambaSettings(generation="v2"), 2, tmp_path), tmp_path / "exported")
    description, _ = read_fold(tmp_path / "exported", "0", "checkpoint_final.pth")
    assert description.network == UMambaSettings(mamba="none", generation="v2")


def test_the_folder_has_what_nnunet_looks_for(tmp_path: Path) -> None:
    export_nnunet(trained(ENCODER, 2, tmp_path), tmp_path / "exported")
    found = {
        str(path.relative_to(tmp_path / "exported")) for path in (tmp_path / "exported").rglob("*") if path.is_file()
    }
    assert found == {"plans.json", "dataset.json", "README.md", "fold_0/checkpoint_final.pth"}
    checkpoint = torch.load(tmp_path / "exported" / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert checkpoint["inference_allowed_mirroring_axes"] == (0, 1)
    assert "Research use only" in (tmp_path / "exported" / "README.md").read_text()


def test_no_mirroring_is_none(tmp_path: Path) -> None:
    """nnU-Net fails on an empty tuple."""
    bundle = trained(ENCODER, 2, tmp_path)
    plain = Bundle(
        bundle.description.model_copy(update={"mirrored_axes": ()}), bundle.state, bundle.path, bundle.sha256
    )
    export_nnunet(plain, tmp_path / "exported")
    assert stock_of_exported(tmp_path / "exported").allowed_mirroring_axes is None


def test_unknown_targets() -> None:
    assert find_exporter("nnunet") is EXPORTERS["nnunet"]
    with pytest.raises(InputError, match="--to onnx: no such target; choose one of nnunet"):
        find_exporter("onnx")
