"""Images in, label maps on their own grids out; one bad file does not end the batch."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import program
from tests.fakes.folders import contents, written
from uumamba.core.files import read_json
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.grid import require_same_grid
from uumamba.inference.bundle import read_bundle


def infer(model: Path, source: Path, output: Path, *options: str | Path) -> int:
    """`uumamba infer` on the CPU."""
    arguments = ("--model", model, "--input", source, "--output", output, "--device", "cpu")
    return program.uumamba("infer", *arguments, *options)


def rows(output: Path) -> dict[str, dict[str, str]]:
    """The rows of `cases.csv` by case."""
    with (output / "cases.csv").open(newline="", encoding="utf-8") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def label_maps(output: Path) -> dict[str, str]:
    """Name -> hash of every label map."""
    return {name: digest for name, digest in contents(output).items() if name.endswith(".nii.gz")}


@pytest.fixture(scope="module")
def predicted(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test patient's label maps."""
    output = tmp_path_factory.mktemp("predicted")
    assert infer(run, data / "database" / "testing", output) == 0
    return output


def test_each_label_map_lies_on_its_images_grid(predicted: Path, images: tuple[Path, ...]) -> None:
    assert set(label_maps(predicted)) == {image.name for image in images}
    for path in images:
        image, label_map = read_image(path), read_label_map(predicted / path.name)
        require_same_grid(image, label_map, "image", "label map")
        assert label_map.data.dtype == np.uint8
        assert label_map.data.max() <= 3


def test_the_tables_say_how_each_case_ended_and_with_which_model(
    predicted: Path, images: tuple[Path, ...], run: Path
) -> None:
    found = rows(predicted)
    assert {row["input"] for row in found.values()} == {str(image) for image in images}
    assert {row["status"] for row in found.values()} == {"ok"}
    assert all(row["repairs"] for row in found.values())
    record = read_json(predicted / "run.json")
    assert record["cases"] == {"ok": 2}
    assert (record["device"], record["precision"], record["overlap"], record["mirror"]) == ("cpu", "fp32", 0.5, False)
    assert record["models"] == [{"path": str(run / "model.safetensors"), "sha256": read_bundle(run).sha256}]
    assert record["notice"] == "research use only"


def test_broken_files_fail_alone_and_the_good_ones_are_bitwise_the_same(
    predicted: Path, images: tuple[Path, ...], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for image in images:
        shutil.copy(image, folder)
    (folder / "cut.nii.gz").write_bytes(images[0].read_bytes()[:-50])
    (folder / "text.nii").write_text("not an image")
    assert infer(run, folder, tmp_path / "out") == 3
    assert "uumamba: 2 of 4 cases failed, the others are done" in capsys.readouterr().err
    assert label_maps(tmp_path / "out") == label_maps(predicted)
    found = rows(tmp_path / "out")
    assert {case for case, row in found.items() if row["status"] == "failed"} == {"cut", "text"}
    assert all(bool(row["reason"]) == (row["status"] == "failed") for row in found.values())
    assert read_json(tmp_path / "out" / "run.json")["cases"] == {"ok": 2, "failed": 2}


def test_a_bundle_alone_segments_an_image_of_any_name(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path
) -> None:
    shutil.copy(run / "model.safetensors", tmp_path / "from a colleague.safetensors")
    shutil.copy(images[0], tmp_path / "Scan of 3 May (2).nii.gz")
    output = tmp_path / "out"
    assert infer(tmp_path / "from a colleague.safetensors", tmp_path / "Scan of 3 May (2).nii.gz", output) == 0
    label_map = read_label_map(output / "Scan of 3 May (2).nii.gz")
    assert np.array_equal(label_map.data, read_label_map(predicted / images[0].name).data)


def test_a_fold_limits_the_cases_to_those_held_out(trained: Path, run: Path, data: Path, tmp_path: Path) -> None:
    held_out = read_json(run / "run.json")["split"]["validation"]
    assert infer(run, data, tmp_path, "--fold", "0", "--dataset", "acdc", "--work", trained) == 0
    assert sorted(rows(tmp_path)) == sorted(held_out)


def test_resume_keeps_what_is_done_and_makes_what_is_lost(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(predicted, output)
    before = written(output)
    (output / images[1].name).unlink()
    assert infer(run, images[0].parent, output, "--resume") == 0
    after = written(output)
    assert after[images[0].name] == before[images[0].name]
    assert after[images[1].name] != before[images[1].name]
    assert label_maps(output) == label_maps(predicted)


def test_a_model_averaged_with_itself_is_itself(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path
) -> None:
    assert infer(run, images[0], tmp_path, "--model", run) == 0
    assert np.array_equal(
        read_label_map(tmp_path / images[0].name).data, read_label_map(predicted / images[0].name).data
    )
    assert len(read_json(tmp_path / "run.json")["models"]) == 2


def test_mirroring_and_overlap_are_on_record(run: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    assert infer(run, images[0], tmp_path, "--mirror", "--overlap", "0.25") == 0
    record = read_json(tmp_path / "run.json")
    assert (record["mirror"], record["overlap"]) == (True, 0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "tpu"), "device tpu: must be one of auto, cpu, cuda"),
        (("--fold", "0"), "--fold needs --dataset"),
        (("--fold", "9", "--dataset", "acdc"), "--fold 9: must be 0 to 4"),
        (("--fold", "all", "--dataset", "acdc"), "--fold all: holds out no case"),
        (("--model", "no such run"), "no such run: no such file or folder"),
        (("--input", "no such image.nii"), "no such image.nii: no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_told_before_any_work(
    options: tuple[str, ...], message: str, trained: Path, run: Path, data: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert infer(run, data, tmp_path / "out", "--work", trained, *options) == 2
    assert f"uumamba: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_told(my_trained: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    mine = program.run_folder(my_trained)
    (mine / "model.safetensors").unlink()
    assert infer(mine, images[0], tmp_path / "out") == 2


@pytest.mark.parametrize("overlap", ["-0.1", "0.95", "half"])
def test_an_impossible_overlap_is_refused(
    overlap: str, run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(run, data, tmp_path / "out", f"--overlap={overlap}") == 2
    assert "--overlap" in capsys.readouterr().err
