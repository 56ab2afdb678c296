"""A bundle gives back what went in, and says clearly why a file is none."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from uumamba.core.errors import InputError, UumambaError
from uumamba.inference.bundle import (
    Bundle,
    BundleDescription,
    build_network,
    read_bundle,
    read_description,
    write_bundle,
)
from uumamba.inference.bundle_file import BUNDLE_NAME, find_bundle
from uumamba.inference.calibration import Calibration
from uumamba.inference.network import network_of
from uumamba.inference.roi import RoiDescription, RoiSettings, coarse_plan
from uumamba.models.baselines import NnunetPlainSettings
from uumamba.models.umamba import UMambaSettings

MakeBundle = Callable[..., Bundle]


def test_round_trip(tmp_path: Path, description: BundleDescription) -> None:
    state = {"weight": torch.randn(3, 4), "count": torch.tensor(5)}
    write_bundle(tmp_path / "any name.safetensors", state=state, description=description)
    bundle = read_bundle(tmp_path / "any name.safetensors")
    assert bundle.description == description
    assert bundle.description.labels.names == ("background", "cavity", "wall")
    assert bundle.state.keys() == state.keys()
    assert all(torch.equal(bundle.state[name], state[name]) for name in state)


def test_round_trip_of_two_networks(tmp_path: Path, description: BundleDescription) -> None:
    coarse = coarse_plan(description.plan, RoiSettings(base_features=2))
    network = network_of(coarse, NnunetPlainSettings(), deep_supervision=True)
    roi = RoiDescription(plan=coarse, network=NnunetPlainSettings(), margin_mm=20, smallest_share=0.1, recall=0.99)
    state, changed = {"weight": torch.randn(3, 4)}, description.model_copy(update={"roi": roi})
    write_bundle(tmp_path / "b.safetensors", state=state, description=changed, roi_state=network.state_dict())
    bundle = read_bundle(tmp_path / "b.safetensors")
    assert bundle.description == changed == read_description(tmp_path / "b.safetensors")
    assert bundle.state.keys() == {"weight"}
    assert bundle.coarse is not None
    x, again = torch.randn(1, 1, *coarse.patch_size), build_network(bundle.coarse)
    assert torch.equal(again(x), network.eval()(x))
    assert "a coarse network (voxels of 8 x 3 x 3 mm) finds it" in changed.model_card


def test_only_bundles_with_a_coarse_network_are_too_new_for_older_programs(
    tmp_path: Path, description: BundleDescription
) -> None:
    roi = RoiDescription(plan=description.plan, network=NnunetPlainSettings(), margin_mm=0, smallest_share=0)
    one, path = {"w": torch.ones(1)}, tmp_path / "b.safetensors"
    for changes, coarse, version in (({}, None, "1"), ({"roi": roi}, one, "2")):
        write_bundle(path, state=one, description=description.model_copy(update=changes), roi_state=coarse)
        with safe_open(path, framework="pt") as file:
            assert file.metadata()["format_version"] == version
    for changes, coarse in (({}, one), ({"roi": roi}, None)):
        with pytest.raises(UumambaError, match="a coarse network needs both its tensors and its description"):
            write_bundle(path, state=one, description=description.model_copy(update=changes), roi_state=coarse)


def test_a_description_is_read_without_the_weights_and_refused_like_them(
    tmp_path: Path, description: BundleDescription
) -> None:
    path = tmp_path / BUNDLE_NAME
    write_bundle(path, state={"weight": torch.zeros(2)}, description=description)
    assert read_description(path) == read_description(tmp_path) == description
    path.write_bytes(b"no bundle")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_description(path)


def test_tensors_are_kept_as_float32_copies(tmp_path: Path, description: BundleDescription) -> None:
    base = torch.randn(4, 6)
    state = {"half": base.bfloat16(), "double": base.double(), "turned": base.T, "shared": base[1:]}
    write_bundle(tmp_path / "b.safetensors", state=state, description=description)
    kept = read_bundle(tmp_path / "b.safetensors").state
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}
    assert torch.equal(kept["turned"], base.T)
    assert torch.equal(kept["shared"], base[1:])


def test_header_is_plain_json_and_a_readable_card(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    with safe_open(bundle.path, framework="pt") as file:
        header = file.metadata()
    assert header["format"] == "uumamba-bundle"
    assert json.loads(header["plan"])["labels"]["names"] == ["background", "cavity", "wall"]
    card = header["model_card"]
    assert card == bundle.description.model_card
    for expected in (
        "Research use only",
        "1 cavity, 2 wall",
        "acdc, 2 cases",
        "CC BY-NC-SA 4.0",
        "Bernard et al., 2018",
        "Dice wall: 0.8123",
        "Dice cavity: no value",
        "seed: 7",
        "Never seen a child's heart.",
        "checkpoint_sha256: ab12",
        "The folder says one thing, the weights another.",
        "stored in any orientation",
        "torch 2.13",
    ):
        assert expected in card


def test_card_of_a_bundle_that_knows_little(description: BundleDescription) -> None:
    card = BundleDescription(plan=description.plan, network=description.network).model_card
    assert "unknown number of cases" in card
    assert "Not evaluated." in card
    assert "## Training\n" not in card
    assert "## Imported from" not in card


@pytest.mark.parametrize("deep_supervision", [True, False])
@pytest.mark.parametrize("mamba", ["none", "bottleneck"])
def test_network_computes_as_before(mamba: str, deep_supervision: bool, make_bundle: MakeBundle) -> None:
    network = UMambaSettings.model_validate({"mamba": mamba})
    bundle = make_bundle(seed=3, deep_supervision=deep_supervision, network=network)
    first, second = build_network(bundle), build_network(read_bundle(bundle.path))
    x = torch.randn(1, 1, 16, 16)
    assert not first.training
    with torch.no_grad():
        logits = first(x)
        assert logits.shape == (1, 3, 16, 16)
        assert torch.equal(logits, second(x))


def test_hash_tells_bundles_apart(make_bundle: MakeBundle) -> None:
    first, other = make_bundle(seed=1), make_bundle(seed=2)
    assert first.sha256 == read_bundle(first.path).sha256
    assert first.sha256 != other.sha256


def test_run_directory_finds_its_bundle(tmp_path: Path, description: BundleDescription) -> None:
    path = tmp_path / "run" / BUNDLE_NAME
    write_bundle(path, state={"w": torch.ones(1)}, description=description)
    assert find_bundle(tmp_path / "run") == path
    assert read_bundle(tmp_path / "run").path == path


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, description: BundleDescription) -> None:
    path = tmp_path / "b.safetensors"
    write_bundle(path, state={"w": torch.ones(2)}, description=description)
    with pytest.raises(UumambaError, match="not written, 1 tensors hold NaN or infinity: bad"):
        write_bundle(path, state={"w": torch.zeros(2), "bad": torch.tensor([float("nan")])}, description=description)
    assert torch.equal(read_bundle(path).state["w"], torch.ones(2))
    assert list(tmp_path.iterdir()) == [path]


def test_missing_bundles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder; give a bundle"):
        read_bundle(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"no model\.safetensors in this folder; give a finished run's folder"):
        read_bundle(tmp_path)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(InputError, match=r"not a readable safetensors file .* copy the bundle again"):
        read_bundle(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kept", [0, 7, 200, 4000])
def test_a_cut_file_is_refused(kept: int, tmp_path: Path, make_bundle: MakeBundle) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(make_bundle().path.read_bytes()[:kept])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_bundle(path)


def rewrite(bundle: Bundle, path: Path, **changes: str | None) -> Path:
    with safe_open(bundle.path, framework="pt") as file:
        header = file.metadata() | changes
    save_file(dict(bundle.state), path, metadata={name: text for name, text in header.items() if text is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": None}, "no uumamba bundle .format None"),
        ({"format": "uumamba-checkpoint-1"}, "give the model.safetensors of a finished run"),
        ({"format_version": "3"}, "bundle format '3', this program reads up to 2; install a newer uumamba"),
        ({"format_version": "new"}, "bundle format 'new'"),
        ({"plan": "{"}, "its header is broken"),
        ({"plan": None}, "its header is not understood: plan: Field required"),
        ({"network": '{"name": "umamba", "mamba": "everywhere"}'}, "its header is not understood: network"),
    ],
)
def test_foreign_headers(changes: dict[str, str | None], message: str, tmp_path: Path, make_bundle: MakeBundle) -> None:
    path = rewrite(make_bundle(), tmp_path / "changed.safetensors", **changes)
    with pytest.raises(InputError, match=message):
        read_bundle(path)


def test_a_bundle_of_before_there_were_temperatures_has_temperature_1(tmp_path: Path, make_bundle: MakeBundle) -> None:
    fitted = make_bundle(calibration=Calibration(temperature=1.5, cases=("c",), ece_before=0.1, ece_after=0.02))
    assert read_bundle(fitted.path).description.calibration.temperature == 1.5
    assert "Temperature 1.500, fitted on 1 cases" in fitted.description.model_card
    old = read_bundle(rewrite(fitted, tmp_path / "old.safetensors", calibration=None))
    assert old.description.calibration == Calibration()
    assert old.description.calibration.temperature == 1
    assert "Not calibrated" in old.description.model_card


def test_tensors_that_do_not_fit_the_description(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(deep_supervision=False)
    name, *_ = bundle.state
    missing = Bundle(bundle.description, {k: v for k, v in bundle.state.items() if k != name}, bundle.path, "")
    with pytest.raises(InputError, match=f"missing {name}; superfluous none"):
        build_network(missing)
    superfluous = Bundle(bundle.description, {**bundle.state, "more": torch.ones(1)}, bundle.path, "")
    with pytest.raises(InputError, match="missing none; superfluous more; of another shape none"):
        build_network(superfluous)
    reshaped = Bundle(bundle.description, {**bundle.state, name: torch.ones(9, 9, 9)}, bundle.path, "")
    with pytest.raises(InputError, match=f"of another shape {name}"):
        build_network(reshaped)
