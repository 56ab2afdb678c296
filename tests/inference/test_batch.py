"""One bad file does not end a batch, and what is done is not done again."""

import csv
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.fakes.folders import contents, written
from uumamba.core.errors import GeometryError, InputError, SomeCasesFailed
from uumamba.data.plan import Plan
from uumamba.imaging.files import read_image, read_label_map, write_image
from uumamba.imaging.image import Image
from uumamba.inference import batch
from uumamba.inference.batch import BatchOptions, predict_files, raise_if_failed
from uumamba.inference.bundle import Bundle
from uumamba.inference.case_table import CaseResult, read_cases
from uumamba.inference.inputs import CaseInput, find_inputs
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.prediction import Flag, Prediction
from uumamba.inference.predictor import Predictor
from uumamba.inference.shard import Shard

WriteCase = Callable[..., Path]
RESUME = BatchOptions(resume=True)


class Flagging(Predictor):
    """Flags what is dark, and nothing else: what an untrained network says would be flagged anyway."""

    def predict(self, images: Sequence[Image], *, maps: bool = False) -> Prediction:
        flags = (Flag("dark", "It is dark."), Flag("odd", "It is odd.")) if images[0].data.mean() < 50 else ()
        return replace(super().predict(images, maps=maps), flags=flags)


@pytest.fixture
def predictor(make_bundle: Callable[..., Bundle]) -> Predictor:
    return Flagging([make_bundle()])


@pytest.fixture
def images(tmp_path: Path, write_case: WriteCase) -> Path:
    folder = tmp_path / "images"
    for seed, name in enumerate(("a", "b", "c")):
        write_case(folder / f"{name}.nii.gz", seed=seed)
    return folder


@pytest.fixture
def output(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out")


def cases_of(folder: Path, output: OutputFolder) -> tuple[CaseInput, ...]:
    return find_inputs([folder], output.path).cases


def rows(output: OutputFolder) -> list[dict[str, str]]:
    with output.table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def maps(folder: Path) -> dict[str, str]:
    """Name -> hash of all but the tables."""
    return {name: digest for name, digest in contents(folder).items() if not name.endswith((".csv", ".json"))}


def test_every_image_gets_its_label_map_and_row(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    calls: list[tuple[str, int, int]] = []
    results = predict_files(
        predictor, cases_of(images, output), output, on_case=lambda r, n, total: calls.append((r.case, n, total))
    )
    assert calls == [("a", 1, 3), ("b", 2, 3), ("c", 3, 3)]
    assert [row["case"] for row in rows(output)] == ["a", "b", "c"]
    assert {(row["status"], row["code"], row["reason"]) for row in rows(output)} == {("ok", "", "")}
    assert sorted(path.name for path in output.path.iterdir()) == ["a.nii.gz", "b.nii.gz", "c.nii.gz", "cases.csv"]
    for result in results:
        image, labels = read_image(result.inputs[0]), read_label_map(result.output)
        expected = predictor.predict([image])
        assert labels.data.dtype == np.uint8
        np.testing.assert_array_equal(labels.affine, image.affine)
        np.testing.assert_array_equal(labels.data, expected.labels)
        assert result.confidence == expected.confidence
        assert contents(output.path)[f"{result.case}.nii.gz"] == result.output_sha256
    raise_if_failed(results, output.table)


def test_bad_files_are_told_and_the_others_are_as_in_a_clean_run(
    predictor: Predictor, images: Path, output: OutputFolder, tmp_path: Path, make_image: Callable[..., Image]
) -> None:
    clean = OutputFolder(tmp_path / "clean")
    predict_files(predictor, cases_of(images, clean), clean)
    (images / "aa.nii.gz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (images / "ab.nii.gz").write_bytes((images / "a.nii.gz").read_bytes()[:300])
    image = make_image()
    write_image(images / "bb.nii", replace(image, data=np.where(image.data > 150, np.nan, image.data)))
    write_image(images / "bc.nii", replace(image, affine=np.diag([1e-9, 1, 1, 1])))
    cases = (*cases_of(images, output), CaseInput("gone", (images / "gone.nii",)), CaseInput("none", ()))
    results = predict_files(predictor, cases, output)
    assert {row["case"]: row["code"] for row in rows(output)} == {
        "a": "", "aa": "unreadable", "ab": "unreadable", "b": "", "bb": "intensities", "bc": "geometry", "c": "",
        "gone": "missing", "none": "wrong_channels",
    }  # fmt: skip
    for row in rows(output):
        assert "\n" not in row["reason"]
        assert (row["reason"] != "") == (row["status"] == "failed") == (row["output_sha256"] == "")
    assert maps(output.path) == maps(clean.path)
    with pytest.raises(
        SomeCasesFailed, match=r"6 of 9 cases failed, .*: aa \(.*\); ab \(.*; and 3 more; see .*cases\.csv"
    ):
        raise_if_failed(results, output.table)


def test_images_of_one_stem_and_details_of_a_table(
    predictor: Predictor, output: OutputFolder, write_case: WriteCase, tmp_path: Path
) -> None:
    for name in ("x/scan.nii.gz", "y/deep/scan.nii"):
        write_case(tmp_path / "images" / name)
    predict_files(predictor, cases_of(tmp_path / "images", output), output)
    assert set(maps(output.path)) == {"x/scan.nii.gz", "y/deep/scan.nii.gz"}


def test_a_failed_case_leaves_no_older_files(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    with_maps = BatchOptions(maps=True)
    predict_files(predictor, cases_of(images, output), output, with_maps)
    assert (output.path / "b_entropy.nii.gz").exists()
    (images / "b.nii.gz").write_bytes(b"broken")
    predict_files(predictor, cases_of(images, output), output, replace(with_maps, resume=True))
    assert set(maps(output.path)) == {"a.nii.gz", "a_entropy.nii.gz", "c.nii.gz", "c_entropy.nii.gz"}


class Exhausted(nn.Module):
    """Fails as torch does without memory."""

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried")


def test_a_failure_of_the_network_is_the_cases(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    predictor._members = [replace(member, network=Exhausted()) for member in predictor._members]
    predict_files(predictor, cases_of(images, output), output)
    assert {(row["code"], row["reason"][:47]) for row in rows(output)} == {
        ("out_of_memory", "out of memory (CUDA out of memory. Tried); use ")
    }


def test_an_unexpected_error_is_the_cases_and_its_place_is_in_the_log(
    predictor: Predictor, images: Path, output: OutputFolder, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(case: CaseInput, _: Image, __: Prediction) -> None:
        if case.case == "b":
            raise KeyError("left")

    with caplog.at_level(logging.DEBUG, logger="uumamba"):
        predict_files(predictor, cases_of(images, output), output, on_prediction=hook)
    assert [row["code"] for row in rows(output)] == ["", "unexpected", ""]
    assert rows(output)[1]["reason"] == "KeyError: 'left'"
    assert not (output.path / "b.nii.gz").exists()
    assert "b failed while writing" in caplog.text
    assert "in hook" in caplog.text


def test_flagged_cases_are_written_and_kept(
    predictor: Predictor, images: Path, output: OutputFolder, make_image: Callable[..., Image]
) -> None:
    image = make_image()
    write_image(images / "b.nii.gz", replace(image, data=image.data - 100))
    results = predict_files(predictor, cases_of(images, output), output)
    assert [(row["status"], row["code"]) for row in rows(output)] == [("ok", ""), ("flagged", "dark; odd"), ("ok", "")]
    assert rows(output)[1]["reason"] == "It is dark. | It is odd."
    raise_if_failed(results, output.table)
    before = written(output.path)["b.nii.gz"]
    predict_files(predictor, cases_of(images, output), output, RESUME)
    assert written(output.path)["b.nii.gz"] == before


def test_maps_lie_on_the_images_grid(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    predict_files(predictor, cases_of(images, output)[:1], output, BatchOptions(maps=True))
    entropy, image = read_image(output.path / "a_entropy.nii.gz"), read_image(images / "a.nii.gz")
    np.testing.assert_array_equal(entropy.affine, image.affine)
    np.testing.assert_array_equal(entropy.data, predictor.predict([image], maps=True).entropy)
    assert rows(output)[0]["entropy_sha256"] == maps(output.path)["a_entropy.nii.gz"]
    assert rows(output)[0]["disagreement_sha256"] == ""


def test_a_series_is_predicted_frame_by_frame(
    predictor: Predictor, images: Path, output: OutputFolder, make_image: Callable[..., Image]
) -> None:
    frames = [make_image(seed=seed) for seed in (1, 2)]
    write_image(images / "b.nii.gz", replace(frames[0], data=np.stack([frame.data for frame in frames], axis=3)))
    predict_files(predictor, cases_of(images, output), output, BatchOptions(maps=True))
    series = read_image(output.path / "b.nii.gz", max_dimensions=4)
    assert series.data.shape == (*frames[0].shape, 2)
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(series.data[..., number], predictor.predict([frame]).labels)
    assert read_image(output.path / "b_entropy.nii.gz", max_dimensions=4).data.shape == series.data.shape


def test_cases_of_several_channels(
    make_bundle: Callable[..., Bundle],
    plan: Plan,
    output: OutputFolder,
    make_image: Callable[..., Image],
    tmp_path: Path,
) -> None:
    channels = tuple(plan.channels[0].model_copy(update={"name": name}) for name in ("T1", "T2"))
    predictor = Flagging([make_bundle(plan=plan.model_copy(update={"channels": channels}))])
    pair = [make_image(seed=seed) for seed in (1, 2)]
    series = replace(pair[0], data=np.stack([pair[0].data] * 2, axis=3))
    other_grid = replace(pair[1], affine=np.diag([1.5, 1.2, 9.0, 1.0]))
    files = {
        "good": pair,
        "lone": pair[:1],
        "many": [*pair, pair[0]],
        "other": [pair[0], other_grid],
        "time": [series, series],
    }
    for name, images in files.items():
        for number, image in enumerate(images):
            (tmp_path / "images").mkdir(exist_ok=True)
            write_image(tmp_path / "images" / f"{name}_{number:04}.nii", image)
    cases = find_inputs([tmp_path / "images"], output.path, channels=("T1", "T2")).cases
    good, *_ = predict_files(predictor, cases, output)
    assert {row["case"]: row["code"] for row in rows(output)} == {
        "good": "", "lone": "missing", "many": "wrong_channels", "other": "geometry", "time": "geometry",
    }  # fmt: skip
    np.testing.assert_array_equal(read_label_map(good.output).data, predictor.predict(pair).labels)
    assert predict_files(predictor, cases[:1], output, RESUME) == (read_cases(output.table)["good"],)


def test_a_second_run_does_not_read_its_own_label_maps(predictor: Predictor, images: Path) -> None:
    for name, options in (("labels", BatchOptions()), ("labels", RESUME), ("other", BatchOptions())):
        output = OutputFolder(images / name)
        predict_files(predictor, cases_of(images, output), output, options)
        assert [row["case"] for row in rows(output)] == ["a", "b", "c"]


def test_resume_does_only_what_is_missing_or_changed(
    predictor: Predictor, images: Path, output: OutputFolder, write_case: WriteCase
) -> None:
    write_case(images / "d.nii.gz", seed=4)
    predict_files(predictor, cases_of(images, output), output)
    before, same = written(output.path), maps(output.path)
    (output.path / "a.nii.gz").unlink()
    write_case(images / "b.nii.gz", seed=9)
    cut = (output.path / "d.nii.gz").read_bytes()[:-9]
    (output.path / "d.nii.gz").write_bytes(cut)
    results = predict_files(predictor, cases_of(images, output), output, RESUME)
    after = written(output.path)
    assert {name for name in after if after[name] != before[name]} == {"a.nii.gz", "b.nii.gz", "d.nii.gz", "cases.csv"}
    assert [result.status for result in results] == ["ok"] * 4
    assert {name for name, digest in maps(output.path).items() if digest != same[name]} == {"b.nii.gz"}


@pytest.mark.parametrize("change", ["bundle", "overlap", "maps"])
def test_resume_starts_anew_with_other_settings(
    change: str, predictor: Predictor, make_bundle: Callable[..., Bundle], images: Path, output: OutputFolder
) -> None:
    first = predict_files(predictor, cases_of(images, output), output)
    other = Predictor([make_bundle(seed=5 * (change == "bundle"))], overlap=0.25 if change == "overlap" else 0.5)
    options = replace(RESUME, maps=change == "maps")
    second = predict_files(other, cases_of(images, output), output, options)
    assert all(old.settings_sha256 != new.settings_sha256 for old, new in zip(first, second, strict=True))
    assert {row["settings_sha256"] for row in rows(output)} == {second[0].settings_sha256}


def test_maps_that_are_no_longer_asked_for_do_not_stay(
    predictor: Predictor, images: Path, output: OutputFolder
) -> None:
    cases = cases_of(images, output)
    predict_files(predictor, cases, output, BatchOptions(maps=True))
    predict_files(predictor, cases, output, RESUME)
    assert set(maps(output.path)) == {"a.nii.gz", "b.nii.gz", "c.nii.gz"}


def test_resume_tries_failed_cases_again_and_keeps_other_rows(
    predictor: Predictor, images: Path, output: OutputFolder, write_case: WriteCase
) -> None:
    (images / "b.nii.gz").write_bytes(b"broken")
    predict_files(predictor, cases_of(images, output), output)
    write_case(images / "b.nii.gz")
    results = predict_files(predictor, cases_of(images, output)[1:2], output, RESUME)
    assert [result.status for result in results] == ["ok"]
    assert sorted(row["case"] for row in rows(output)) == ["a", "b", "c"]


def test_without_resume_results_go_only_when_told(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    cases = cases_of(images, output)
    predict_files(predictor, cases, output)
    predict_files(predictor, cases[:1], output, BatchOptions(overwrite=True))
    assert set(maps(output.path)) == {"a.nii.gz"}
    assert [row["case"] for row in rows(output)] == ["a"]


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize("where", ["read", "predict", "hook", "table"])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_batch_that_dies_anywhere_goes_on_to_the_same_bytes(
    where: str, when: int, predictor: Predictor, images: Path, output: OutputFolder, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    whole = OutputFolder(tmp_path / "whole")
    cases = cases_of(images, output)
    predict_files(predictor, cases, whole)
    calls = {"read": 0, "predict": 0, "hook": 0, "table": 0}

    def dying(name: str, function: Callable[..., object] = lambda *_: None) -> Callable[..., object]:
        def die(*arguments: object, **options: object) -> object:
            calls[name] += 1
            if (name, calls[name]) == (where, when):
                raise Killed
            return function(*arguments, **options)

        return die

    hook, on_case = dying("hook"), dying("table")
    with monkeypatch.context() as patch:
        patch.setattr(batch, "read_image", dying("read", read_image))
        patch.setattr(predictor, "predict", dying("predict", predictor.predict))
        with pytest.raises(Killed):
            predict_files(predictor, cases, output, on_prediction=hook, on_case=on_case)  # type: ignore[arg-type]
    assert maps(output.path).items() <= maps(whole.path).items()
    results = predict_files(predictor, cases, output, RESUME)
    assert [result.status for result in results] == ["ok"] * 3
    assert maps(output.path) == maps(whole.path)


def test_a_row_is_written_as_soon_as_its_files_are(
    predictor: Predictor, images: Path, output: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when the next case has been predicted, which may be the one that kills the process."""
    predict, predicted = predictor.predict, []

    def wait(*arguments: Any, **options: Any) -> Prediction:
        deadline = time.monotonic() + 120
        while len(rows(output)) < len(predicted) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(rows(output)) == len(predicted)
        predicted.append(predict(*arguments, **options))
        return predicted[-1]

    monkeypatch.setattr(predictor, "predict", wait)
    assert [result.reason for result in predict_files(predictor, cases_of(images, output), output)] == [""] * 3


SCRIPT = """
import os, signal, sys
from pathlib import Path
from uumamba.inference.batch import predict_files
from uumamba.inference.bundle import read_bundle
from uumamba.inference.inputs import find_inputs
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.predictor import Predictor
bundle, images, output = map(Path, sys.argv[1:])
def kill(case, *_):
    if case.case == "b":
        os.kill(os.getpid(), signal.SIGKILL)
predict_files(
    Predictor([read_bundle(bundle)]), find_inputs([images], output).cases, OutputFolder(output), on_prediction=kill
)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_a_process_that_is_killed(
    make_bundle: Callable[..., Bundle], images: Path, output: OutputFolder, tmp_path: Path
) -> None:
    bundle, whole = make_bundle(), OutputFolder(tmp_path / "whole")
    cases = cases_of(images, output)
    predict_files(Predictor([bundle]), cases, whole)
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(bundle.path), str(images), str(output.path)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert [row["case"] for row in rows(output)] == ["a"]
    (output.path / f".{os.getpid()}-b.nii.gz").touch()
    predict_files(Predictor([bundle]), cases, output, RESUME)
    assert maps(output.path) == maps(whole.path)


def test_shards_together_are_the_whole_batch(
    predictor: Predictor, images: Path, output: OutputFolder, tmp_path: Path
) -> None:
    whole = OutputFolder(tmp_path / "whole")
    cases = cases_of(images, output)
    predict_files(predictor, cases, whole)
    for number in (2, 1):
        part = replace(output, shard=Shard(number, 2))
        predict_files(predictor, Shard(number, 2).of(cases), part)
    assert [len(read_cases(output.path / f"cases_{number}_of_2.csv")) for number in (1, 2)] == [2, 1]
    before = written(output.path)
    predict_files(predictor, cases, output, RESUME)
    assert maps(output.path) == maps(whole.path)
    assert all(written(output.path)[name] == before[name] for name in before)
    assert [row["case"] for row in rows(output)] == ["a", "b", "c"]


def test_asked_to_stop_it_ends_between_cases(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    asked: list[bool] = []
    hooked: list[str] = []

    def must_stop() -> bool:
        asked.append(len(asked) == 2)
        return asked[-1]

    results = predict_files(
        predictor, cases_of(images, output), output, must_stop=must_stop,
        on_prediction=lambda case, *_: hooked.append(case.case),
    )  # fmt: skip
    assert [result.case for result in results] == hooked == [row["case"] for row in rows(output)] == ["a", "b"]


def test_two_more_images_are_in_memory_at_most_and_no_thread_stays(
    predictor: Predictor, images: Path, output: OutputFolder, write_case: WriteCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        write_case(images / f"d{seed}.nii.gz", seed=seed)
    alive: list[weakref.ref[Image]] = []
    most: list[int] = []

    def read(path: Path, *, max_dimensions: int) -> Image:
        most.append(sum(reference() is not None for reference in alive))
        image = read_image(path, max_dimensions=max_dimensions)
        alive.append(weakref.ref(image))
        return image

    monkeypatch.setattr(batch, "read_image", read)
    threads = threading.active_count()
    results = predict_files(predictor, cases_of(images, output), output)
    assert len(results) == len(most) == 6
    assert max(most) <= 2
    assert threading.active_count() == threads


def test_a_file_that_no_batch_wrote_stops_before_any_work(
    predictor: Predictor, images: Path, output: OutputFolder
) -> None:
    output.path.mkdir()
    (output.path / "a.nii.gz").touch()
    with pytest.raises(InputError, match="is there already"):
        predict_files(predictor, cases_of(images, output), output)
    assert not output.table.exists()


def test_results_are_told_by_case(predictor: Predictor, images: Path, output: OutputFolder) -> None:
    def check(result: CaseResult, _: int, __: int) -> None:
        if result.case == "b":
            raise GeometryError("not the batch's business")

    with pytest.raises(GeometryError, match="not the batch's"):
        predict_files(predictor, cases_of(images, output), output, on_case=check)
    assert [row["case"] for row in rows(output)] == ["a", "b"]


def test_a_shard_that_is_resumed_and_stopped_at_once_keeps_its_rows(
    predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    folder = OutputFolder(tmp_path / "out", Shard(1, 2))
    cases = folder.shard.of(cases_of(images, folder)) if folder.shard else ()
    predict_files(predictor, cases, folder)
    before = rows(folder)
    assert len(before) == 2
    predict_files(predictor, cases, folder, RESUME, must_stop=lambda: True)
    assert rows(folder) == before


def test_a_failed_case_leaves_nothing_in_memory(
    predictor: Predictor, images: Path, output: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reference counts alone let its images go: a cycle would hold them until the collector comes by."""
    seen: list[weakref.ref[np.ndarray]] = []

    def exhausted(given: Sequence[Image], **_: bool) -> Prediction:
        seen.append(weakref.ref(given[0].data))
        raise MemoryError("8 GB")

    monkeypatch.setattr(predictor, "predict", exhausted)
    gc.disable()
    try:
        results = predict_files(predictor, cases_of(images, output), output)
        assert [result.code for result in results] == ["out_of_memory"] * 3
        assert [ref() for ref in seen] == [None] * 3
    finally:
        gc.enable()
