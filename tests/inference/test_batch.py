"""One bad file does not end a batch, and what is done is not done again."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from uumamba.core.errors import InputError, SomeCasesFailed
from uumamba.imaging.files import read_image, read_label_map
from uumamba.inference.batch import CaseResult, predict_files, read_cases, write_cases
from uumamba.inference.bundle import Bundle
from uumamba.inference.inputs import COLUMNS
from uumamba.inference.predictor import Predictor

WriteCase = Callable[..., Path]


@pytest.fixture
def predictor(make_bundle: Callable[..., Bundle]) -> Predictor:
    return Predictor([make_bundle()])


@pytest.fixture
def images(tmp_path: Path, write_case: WriteCase) -> Path:
    folder = tmp_path / "images"
    for seed, name in enumerate(("a", "b", "c")):
        write_case(folder / f"{name}.nii.gz", seed=seed)
    return folder


def rows(output: Path) -> list[dict[str, str]]:
    with (output / "cases.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_image_gets_its_label_map_and_row(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    calls: list[tuple[str, int, int]] = []
    results = predict_files(predictor, [images], output, on_case=lambda r, n, total: calls.append((r.case, n, total)))
    assert calls == [("a", 1, 3), ("b", 2, 3), ("c", 3, 3)]
    assert [row["case"] for row in rows(output)] == ["a", "b", "c"]
    assert {row["status"] for row in rows(output)} == {"ok"}
    assert sorted(path.name for path in output.iterdir()) == ["a.nii.gz", "b.nii.gz", "c.nii.gz", "cases.csv"]
    for result in results:
        image, labels = read_image(result.input), read_label_map(result.output)
        assert labels.data.dtype == np.uint8
        np.testing.assert_array_equal(labels.affine, image.affine)
        np.testing.assert_array_equal(labels.data, predictor.predict([image]).labels)


def test_bad_files_are_told_and_the_others_are_as_in_a_clean_run(
    predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    predict_files(predictor, [images], tmp_path / "clean")
    (images / "aa.nii.gz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    (images / "ab.nii.gz").write_bytes((images / "a.nii.gz").read_bytes()[:300])
    with pytest.raises(SomeCasesFailed, match=r"2 of 5 cases failed, .*: aa \(.*\); ab \(.*cases\.csv"):
        predict_files(predictor, [images], tmp_path / "out")
    status = {row["case"]: row["status"] for row in rows(tmp_path / "out")}
    assert status == {"a": "ok", "aa": "failed", "ab": "failed", "b": "ok", "c": "ok"}
    for row in rows(tmp_path / "out"):
        assert "\n" not in row["reason"]
        assert (row["reason"] != "") == (row["status"] == "failed")
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "clean" / name).read_bytes()
    assert not (tmp_path / "out" / "aa.nii.gz").exists()


def test_a_failed_case_leaves_no_older_label_map(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    predict_files(predictor, [images], tmp_path / "out")
    (images / "b.nii.gz").write_bytes(b"broken")
    with pytest.raises(SomeCasesFailed, match="1 of 3"):
        predict_files(predictor, [images], tmp_path / "out")
    assert not (tmp_path / "out" / "b.nii.gz").exists()
    assert (tmp_path / "out" / "a.nii.gz").exists()


class Exhausted(nn.Module):
    """Fails as torch does without memory."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("8 GB"), "out of memory (8 GB); use --device cpu"),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried"), "out of memory (CUDA out of memory. Tried)"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory (DefaultCPUAllocator"),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ],
)
def test_failures_of_the_computation(
    error: Exception, reason: str, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    predictor._members = [replace(member, network=Exhausted(error)) for member in predictor._members]
    with pytest.raises(SomeCasesFailed, match="3 of 3 cases failed"):
        predict_files(predictor, [images], tmp_path / "out")
    assert all(row["reason"].startswith(reason) for row in rows(tmp_path / "out"))


def test_a_second_run_does_not_read_its_own_label_maps(predictor: Predictor, images: Path) -> None:
    for _ in range(2):
        predict_files(predictor, [images], images / "labels")
        assert [row["case"] for row in rows(images / "labels")] == ["a", "b", "c"]
    predict_files(predictor, [images], images / "other")
    assert [row["case"] for row in rows(images / "other")] == ["a", "b", "c"]


def test_resume_does_only_what_is_missing_or_changed(
    predictor: Predictor, images: Path, tmp_path: Path, write_case: WriteCase
) -> None:
    output = tmp_path / "out"
    predict_files(predictor, [images], output)
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("*.nii.gz")}
    (output / "a.nii.gz").unlink()
    write_case(images / "b.nii.gz", seed=9)
    results = predict_files(predictor, [images], output, resume=True)
    after = {path.name: path.stat().st_mtime_ns for path in output.glob("*.nii.gz")}
    assert {name for name in after if after[name] != before[name]} == {"a.nii.gz", "b.nii.gz"}
    assert [result.status for result in results] == ["ok"] * 3
    assert len(rows(output)) == 3


def test_resume_starts_anew_for_another_predictor(
    predictor: Predictor, make_bundle: Callable[..., Bundle], images: Path, tmp_path: Path
) -> None:
    first = predict_files(predictor, [images], tmp_path / "out")
    second = predict_files(Predictor([make_bundle(seed=5)]), [images], tmp_path / "out", resume=True)
    assert all(old.model_sha256 != new.model_sha256 for old, new in zip(first, second, strict=True))
    assert {row["model_sha256"] for row in rows(tmp_path / "out")} == {second[0].model_sha256}


def test_resume_tries_failed_cases_again(
    predictor: Predictor, images: Path, tmp_path: Path, write_case: WriteCase
) -> None:
    (images / "b.nii.gz").write_bytes(b"broken")
    with pytest.raises(SomeCasesFailed):
        predict_files(predictor, [images], tmp_path / "out")
    write_case(images / "b.nii.gz")
    results = predict_files(predictor, [images], tmp_path / "out", resume=True)
    assert [result.status for result in results] == ["ok"] * 3


def test_a_batch_stopped_half_way_goes_on(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    def stop(_: CaseResult, position: int, __: int) -> None:
        if position == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, [images], tmp_path / "out", on_case=stop)
    assert [row["case"] for row in rows(tmp_path / "out")] == ["a", "b"]
    done = (tmp_path / "out" / "a.nii.gz").stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, [images], tmp_path / "out", resume=True, on_case=stop)
    assert [row["case"] for row in rows(tmp_path / "out")] == ["a", "b"]
    predict_files(predictor, [images], tmp_path / "out", resume=True)
    assert [row["case"] for row in rows(tmp_path / "out")] == ["a", "b", "c"]
    assert (tmp_path / "out" / "a.nii.gz").stat().st_mtime_ns == done


def test_unusable_inputs_stop_before_any_work(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.nii").touch()
    with pytest.raises(InputError, match="would both be written"):
        predict_files(predictor, [images, tmp_path / "more"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_table_round_trip(tmp_path: Path) -> None:
    result = CaseResult(
        case="a", input=Path("in, put/a.nii"), output=Path("out/a.nii.gz"), status="failed", reason='no "x", sorry',
        seconds=1.25, repairs=("spacing from pixdim", "sform ignored"), input_sha256="0f", model_sha256="1e",
    )  # fmt: skip
    write_cases(tmp_path / "cases.csv", [result])
    assert read_cases(tmp_path / "cases.csv") == {"a": result}
    assert tuple(rows(tmp_path)[0]) == COLUMNS


def test_foreign_or_missing_table_is_empty(tmp_path: Path) -> None:
    assert read_cases(tmp_path / "cases.csv") == {}
    (tmp_path / "cases.csv").write_text("case,image,label\na,b,c\n")
    assert read_cases(tmp_path / "cases.csv") == {}
