"""Two networks by one command, in one bundle: the coarse one finds the region, the other looks nowhere else."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes import program
from tests.fakes.folders import contents
from tests.fakes.small_in_large import SPACING_MM, draw, write_fake
from uumamba.config import load_config
from uumamba.core.files import read_json, write_json
from uumamba.data.coarse import FOREGROUND
from uumamba.data.work_folder import WorkFolder
from uumamba.imaging.files import write_image
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.placed_region import PlacedRegion
from uumamba.inference.predictor import Predictor
from uumamba.metrics.overlap import dice
from uumamba.training import loop
from uumamba.workflows import roi, train

SMALL = (
    "inference.roi={base_features: 4, epochs: 2}", "training.epochs=1", "training.calibrate=false",
    "training.overlay_every=null", "network.mamba=none", "rule.name=plain",
)  # fmt: skip
IN_3D = (
    "planning.configurations=[3d_fullres]", "plan.configuration=3d_fullres", "plan.patch_size=[16,16,16]",
    "network.mamba=none", "rule.name=plain", "optimizer.momentum=0.9", "training.iterations=12",
    "training.overlay_every=null", "inference.roi={base_features: 4, epochs: 1, margin_mm: 6}",
)  # fmt: skip


@pytest.fixture(autouse=True)
def handlers_as_they_were() -> Iterator[None]:
    """A stopped run leaves signals unheard, as its process is leaving."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in 3D on large images with something small in them."""
    root = tmp_path_factory.mktemp("large")
    write_fake(root / "data")
    assert program.preprocess(root / "data", root / "work", *IN_3D) == 0
    assert program.train(root / "work", overrides=IN_3D) == 0
    return program.run_folder(root / "work")


@pytest.fixture(scope="module")
def found(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a finished run in 2D, whose coarse cases training made itself."""
    folder = tmp_path_factory.mktemp("found")
    shutil.copytree(work, folder, dirs_exist_ok=True)
    assert program.train(folder, overrides=SMALL) == 0
    return folder


def without_roi(bundle: Bundle, path: Path) -> Bundle:
    """The bundle without its coarse network."""
    write_bundle(path, state=bundle.state, description=bundle.description.model_copy(update={"roi": None}))
    return read_bundle(path)


def same_weights(one: Bundle, other: Bundle) -> bool:
    """Whether the tensors of both networks are bitwise the same."""
    pairs = ((one.state, other.state), (one.roi_state, other.roi_state))
    return all(bool(a) and a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) for a, b in pairs)


def signal_at(number: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at whose call of this number, from 1, this process gets SIGUSR1."""
    calls: list[None] = []

    def wrapped(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGUSR1)
        return function(*arguments, **options)

    return wrapped


def predict(bundle: Bundle, image: Image) -> tuple[np.ndarray, int]:
    """The label map, and how many windows the network of full resolution saw."""
    predictor, windows = Predictor([bundle], postprocess=False), 0

    def count(_: object, inputs: tuple[Tensor, ...]) -> None:
        nonlocal windows
        windows += len(inputs[0])

    handle = predictor._members[0].network.register_forward_pre_hook(count)
    labels = predictor.predict([image]).labels
    handle.remove()
    return labels, windows


@pytest.mark.slow
def test_the_region_holds_the_reference_and_is_small(large: Path) -> None:
    description = read_bundle(large).description.roi
    assert description is not None
    assert description.recall == description.lowest_recall == 1
    assert description.image_share is not None
    assert description.image_share < 0.5
    assert list(description.cases) == read_json(large / "run.json")["split"]["validation"]
    assert description.plan.spacing_mm == (4, 4, 4)
    assert (description.margin_mm, description.not_found) == (6, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1001, 1002])
def test_a_better_mask_for_a_quarter_of_the_windows(
    seed: int, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions: list[PlacedRegion] = []
    flags = PlacedRegion.flags
    monkeypatch.setattr(PlacedRegion, "flags", lambda self, labels: regions.append(self) or flags(self, labels))
    image, reference = draw(seed)
    bundle = read_bundle(large)
    labels, windows = predict(bundle, image)
    whole, all_windows = predict(without_roi(bundle, tmp_path / "whole.safetensors"), image)
    assert windows <= all_windows / 4
    inside = tuple(slice(*bounds) for bounds in regions[0].geometry.crop[::-1])
    assert reference.data[inside].sum() == reference.data.sum()
    around = labels.copy()
    around[inside] = 0
    assert not around.any()
    # After so few steps the network sees structures in noise too, where nobody asks it any more.
    scores = [dice(each > 0, reference.data > 0, SPACING_MM) or 0.0 for each in (labels, whole)]
    assert scores[0] > scores[1] + 0.2


@pytest.mark.slow
def test_the_record_the_log_and_the_run_of_the_coarse_network_tell_of_it(large: Path) -> None:
    record, log = read_json(large / "run.json"), (large / "log.txt").read_text()
    assert record["roi"] == read_json(large / "roi" / "region.json")
    assert "region of interest: a coarse network (voxels of 4 x 4 x 4 mm) finds it, 6 mm are added" in log
    assert "acdc, coarse network, fold 0: nnunet_plain" in (large / "roi" / "log.txt").read_text()
    config = load_config(large / "roi" / "config.yaml")
    assert (config.training.epochs, config.inference.roi, config.rule.name) == (1, None, "plain")
    assert {"last.safetensors", "model.safetensors", "validation.csv", "history.csv"} <= {
        path.name for path in (large / "roi").iterdir()
    }


@pytest.mark.slow
def test_infer_names_it_and_calibrate_keeps_it(large: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "one.nii.gz", draw(7)[0])
    model = Path(shutil.copytree(large, tmp_path / "model"))
    before = read_bundle(model)
    work = large.parents[3]
    calibrate = ("calibrate", "--model", model, "--work", work, "--dataset", "acdc", "--device", "cpu")
    assert program.uumamba(*calibrate) == 0
    after = read_bundle(model)
    assert same_weights(after, before)
    assert after.description == before.description
    arguments = ("--model", model, "--input", tmp_path / "images", "--output", tmp_path / "out")
    assert program.uumamba("infer", *arguments) == 0
    (record,) = read_json(tmp_path / "out" / "run.json")["roi"]
    assert (record["margin_mm"], record["recall"]) == (6, 1)


def test_training_makes_the_cases_that_preprocessing_did_not(found: Path, my_work: Path, data: Path) -> None:
    assert program.preprocess(data, my_work, *SMALL) == 0
    name = "roi_2d_20x12x12mm"
    made, asked = (WorkFolder(each / "acdc").store(name) for each in (found, my_work))
    cases = made.cases()
    assert cases == asked.cases()
    assert made.content_hash(cases) == asked.content_hash(cases)
    for case in cases:
        _, fine = WorkFolder(found / "acdc").store("2d").read_case(case)
        labels = made.read_case(case)[1]
        assert set(np.unique(labels)) == {0, FOREGROUND}
        assert labels.sum() * 4 >= (fine > 0).sum()
    before = contents(my_work / "acdc" / "preprocessed" / name)
    assert program.train(my_work, overrides=SMALL) == 0
    assert contents(my_work / "acdc" / "preprocessed" / name) == before
    assert same_weights(read_bundle(program.run_folder(my_work)), read_bundle(program.run_folder(found)))


@pytest.mark.parametrize(
    ("module", "name", "call", "place"),
    [
        (loop, "set_learning_rate", 3, "roi: stopped by SIGUSR1 after epoch 1 and 1 steps; go on with --resume"),
        (roi, "_measure", 1, "roi: stopped by SIGUSR1; go on with --resume"),
        (loop, "set_learning_rate", 6, "stopped by SIGUSR1 after epoch 0 and 2 steps; go on with --resume"),
    ],
    ids=["in the coarse training", "between the two", "in the other"],
)  # fmt: skip
def test_stopped_in_either_training_it_ends_as_if_nothing_had_been(
    module: Any, name: str, call: int, place: str, found: Path, my_work: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(module, name, signal_at(call, getattr(module, name)))
        assert program.train(my_work, overrides=SMALL) == 75
    assert place in capsys.readouterr().err
    assert program.train(my_work, overrides=SMALL) == 2
    assert "holds a run; go on with --resume, or replace it with --overwrite" in capsys.readouterr().err
    mine, theirs = program.run_folder(my_work), program.run_folder(found)
    finished = mine / "roi" / "region.json"
    before = contents(mine / "roi") if finished.is_file() else None
    assert program.train(my_work, "--resume", overrides=SMALL) == 0
    assert same_weights(read_bundle(mine), read_bundle(theirs))
    assert read_json(finished) == read_json(theirs / "roi" / "region.json")
    assert before in (None, contents(mine / "roi"))


def test_a_coarse_training_is_not_resumed_with_other_settings(
    my_work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(loop, "set_learning_rate", signal_at(2, loop.set_learning_rate))
        assert program.train(my_work, overrides=SMALL) == 75
    mine = program.run_folder(my_work)
    assert program.train(my_work, "--resume", overrides=(*SMALL, "optimizer.learning_rate=0.5")) == 2
    error = capsys.readouterr().err
    assert f"{mine / 'roi'}: cannot be resumed, as optimizer.learning_rate changed since it began" in error
    where = ("--config", mine / "config.yaml", "--work", my_work, "--name", "acdc", "--fold", "0")
    assert " ".join(map(str, ("resume with", *where))) in error
    assert program.uumamba("train", "--dataset", "acdc", *where, "--resume") == 0


def test_a_run_is_resumed_with_a_coarse_network_just_if_it_began_with_one(
    my_trained: Path, my_work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(program.run_folder(my_trained))
    assert program.train(my_trained, "--resume", overrides=SMALL[:1]) == 2
    assert "cannot be resumed, as inference.roi" in capsys.readouterr().err
    assert contents(program.run_folder(my_trained)) == before
    with monkeypatch.context() as patched:
        patched.setattr(loop, "set_learning_rate", signal_at(2, loop.set_learning_rate))
        assert program.train(my_work, overrides=SMALL) == 75
    assert program.train(my_work, "--resume", overrides=SMALL[1:]) == 2
    assert "as inference.roi was there when it began and its coarse network was trained first" in (
        capsys.readouterr().err
    )


def test_other_regions_of_the_same_network_are_measured_anew(found: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(found, tmp_path / "mine"))
    region = program.run_folder(mine) / "roi" / "region.json"
    known = read_json(region)
    for left in ("last.safetensors", "model.safetensors", "run.json"):
        (program.run_folder(mine) / left).unlink()
    write_json(region, known | {"margin_mm": 1.0})
    assert program.train(mine, "--resume", overrides=SMALL) == 0
    assert read_json(region) == known


def test_a_broken_record_of_the_region_says_what_to_do(
    found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Path(shutil.copytree(found, tmp_path / "mine"))
    region = program.run_folder(mine) / "roi" / "region.json"
    write_json(region, {"margin_mm": 1.0})
    assert program.train(mine, "--resume", overrides=SMALL) == 2
    assert f"{region}: not what is known of a coarse network (plan: Field required); delete it and" in (
        capsys.readouterr().err
    )
    region.unlink()
    assert program.train(mine, "--resume", overrides=SMALL) == 0


@pytest.mark.parametrize(
    "wrong", ["plan.patch_size=[30,31]", "inference.roi.spacing_mm=1", "training.epochs=0", "hardware.device=tpu"]
)
def test_a_wrong_setting_never_deletes_the_old_run_nor_trains_for_nothing(
    wrong: str, found: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(program.run_folder(found))
    monkeypatch.setattr(train, "fit", pytest.fail)
    assert program.train(found, "--overwrite", overrides=(*SMALL, wrong)) == 2
    assert contents(program.run_folder(found)) == before


def test_overwriting_replaces_both_networks(found: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(found, tmp_path / "mine"))
    assert program.train(mine, "--overwrite", overrides=SMALL[1:]) == 0
    assert not (program.run_folder(mine) / "roi").exists()
    assert read_bundle(program.run_folder(mine)).description.roi is None


def test_all_cases_leave_none_to_judge_it(my_work: Path) -> None:
    assert program.train(my_work, "--fold", "all", overrides=SMALL) == 0
    description = read_bundle(program.run_folder(my_work, fold="all")).description.roi
    assert description is not None
    assert (description.recall, description.cases) == (None, ())
    assert description.sentence.endswith("; not validated.")


def test_an_export_says_that_it_goes_without(found: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.uumamba("export", program.run_folder(found), "--to", "nnunet", "-o", tmp_path / "exported") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "the coarse network that finds the region of interest is not exported: there the whole image is" in said
