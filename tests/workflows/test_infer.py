"""Images in, label maps on their own grids out; one bad file does not end the batch."""

import csv
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import program
from tests.fakes.folders import contents, written
from uumamba.core.files import hash_file, read_json
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.grid import require_same_grid
from uumamba.imaging.image import Image
from uumamba.inference.bundle import read_bundle, write_bundle
from uumamba.inference.postprocessing import LargestComponents, Postprocessing
from uumamba.inference.prediction import Prediction
from uumamba.inference.predictor import Predictor


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
    assert {row["status"] for row in found.values()} <= {"ok", "flagged"}
    assert all(row["repairs"] for row in found.values())
    record = read_json(predicted / "run.json")
    flagged = sum(row["status"] == "flagged" for row in found.values())
    assert record["counts"] == {"cases": 2, "ok": 2 - flagged, "flagged": flagged, "failed": 0, "not_reached": 0}
    assert [case["case"] for case in record["cases"]] == sorted(found)
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
    assert all(bool(row["reason"]) == bool(row["code"]) == (row["status"] != "ok") for row in found.values())
    record = read_json(tmp_path / "out" / "run.json")
    assert (record["counts"]["cases"], record["counts"]["failed"]) == (4, 2)
    assert {case["case"]: case["code"] for case in record["cases"] if case["status"] == "failed"} == {
        "cut": "unreadable",
        "text": "unreadable",
    }


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


def test_the_record_says_what_else_was_chosen(run: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    options = ("--threads", "1", "--uncertainty", "--model", run, "--weight", "3", "--weight", "1")
    assert infer(run, images[0], tmp_path, *options) == 0
    record = read_json(tmp_path / "run.json")
    assert (record["threads"], record["uncertainty"], record["weights"]) == (1, True, [3.0, 1.0])
    case = rows(tmp_path)[record["cases"][0]["case"]]
    for name in ("entropy", "disagreement"):
        assert hash_file(tmp_path / f"{case['case']}_{name}.nii.gz") == case[f"{name}_sha256"]
    assert 0 <= float(case["confidence_lowest"]) <= 1


def test_post_processing_may_be_left_out(run: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    bundle = read_bundle(run)
    steps = Postprocessing(steps=(LargestComponents(structures=(bundle.description.labels.names[1],)),))
    description = bundle.description.model_copy(update={"postprocessing": steps})
    write_bundle(tmp_path / "model.safetensors", state=bundle.state, description=description)
    for name, options in (("with", ()), ("without", ("--no-postprocessing",))):
        assert infer(tmp_path / "model.safetensors", images[0], tmp_path / name, *options) == 0
    records = [read_json(tmp_path / name / "run.json") for name in ("with", "without")]
    assert [len(record["postprocessing"]["steps"]) for record in records] == [1, 0]
    assert records[0]["predictor_sha256"] != records[1]["predictor_sha256"]


def test_what_a_shell_makes_of_a_pattern_and_what_it_leaves(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path
) -> None:
    assert infer(run, images[0], tmp_path / "shell", *images[1:]) == 0
    assert label_maps(tmp_path / "shell") == label_maps(predicted)
    assert infer(run, images[0].parent / "*_frame??.nii.gz", tmp_path / "quoted") == 0
    assert label_maps(tmp_path / "quoted") == label_maps(predicted)


def test_a_table_of_cases(run: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_text(f"case,image,height_cm\nAnna,{images[0]},172\nBert,missing.nii,180\n")
    assert infer(run, tmp_path / "study.csv", tmp_path / "out") == 3
    assert [row["status"] == "failed" for row in rows(tmp_path / "out").values()] == [False, True]
    assert rows(tmp_path / "out")["Bert"]["code"] == "missing"
    assert read_json(tmp_path / "out" / "run.json")["cases"][0]["details"] == {"height_cm": "172"}


def test_results_are_not_replaced_by_accident(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(predicted, output)
    before = written(output)
    assert infer(run, images[0], output) == 2
    assert "holds the results of a batch (cases.csv); --resume goes on with it" in capsys.readouterr().err
    assert written(output) == before
    assert infer(run, images[0], output, "--overwrite") == 0
    assert set(label_maps(output)) == {images[0].name}


def test_jobs_of_an_array_and_the_whole_table(
    run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path
) -> None:
    for shard in ("2/2", "1/2"):
        assert infer(run, images[0].parent, tmp_path, "--shard", shard) == 0
    assert {path.name for path in tmp_path.glob("*.json")} == {"run_1_of_2.json", "run_2_of_2.json"}
    before = written(tmp_path)
    assert infer(run, images[0].parent, tmp_path, "--resume") == 0
    assert before.items() <= written(tmp_path).items()
    assert label_maps(tmp_path) == label_maps(predicted)
    assert list(rows(tmp_path)) == sorted(rows(predicted))


@pytest.fixture
def handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sending(monkeypatch: pytest.MonkeyPatch, *numbers: signal.Signals) -> None:
    """Let each prediction send signals to this process when it has begun."""
    predict = Predictor.predict

    def send(self: Predictor, images: Sequence[Image], *, maps: bool = False) -> Prediction:
        for number in numbers:
            os.kill(os.getpid(), number)
        return predict(self, images, maps=maps)

    monkeypatch.setattr(Predictor, "predict", send)


@pytest.mark.usefixtures("handlers_as_they_were")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_cases_and_it_goes_on(
    number: signal.Signals, run: Path, images: tuple[Path, ...], predicted: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with monkeypatch.context() as patch:
        sending(patch, number)
        assert infer(run, images[0].parent, tmp_path) == 75
    message = f"uumamba: stopped by {number.name} after 1 of 2 cases, which are kept; the same command with --resume"
    assert message in capsys.readouterr().err
    assert read_json(tmp_path / "run.json")["counts"]["not_reached"] == 1
    done = written(tmp_path)[images[0].name]
    assert infer(run, images[0].parent, tmp_path, "--resume") == 0
    assert label_maps(tmp_path) == label_maps(predicted)
    assert written(tmp_path)[images[0].name] == done


@pytest.mark.usefixtures("handlers_as_they_were")
def test_a_second_ctrl_c_ends_it_at_once(
    run: Path, images: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending(monkeypatch, signal.SIGINT, signal.SIGINT)
    assert infer(run, images[0].parent, tmp_path) == 130
    assert label_maps(tmp_path) == {}
    assert read_json(tmp_path / "run.json")["counts"]["not_reached"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "tpu"), "device tpu: must be one of auto, cpu, cuda"),
        (("--fold", "0"), "--fold and --split need --dataset"),
        (("--fold", "9", "--dataset", "acdc"), "--fold 9: must be 0 to 4"),
        (("--fold", "all", "--dataset", "acdc"), "--fold all: holds out no case"),
        (("--model", "no such run"), "no such run: no such file or folder"),
        (("--input", "no such image.nii"), "no such image.nii: no such file or folder"),
        (("--input", "no such/*.nii"), "no such/*.nii: fits no file and no folder"),
        (("no such image.nii",), "no such image.nii: no such file or folder"),
        (("--shard", "3/2"), "--shard 3/2: must be i/n"),
        (("--resume", "--overwrite"), "--overwrite cannot be given with --resume or --shard"),
        (("--weight", "1", "--weight", "2"), "weights 1, 2 for 1 model(s)"),
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


def test_the_review_list_and_the_memory_are_written_beside_the_label_maps(predicted: Path) -> None:
    with (predicted / "review.csv").open(newline="", encoding="utf-8") as file:
        review = list(csv.DictReader(file))
    found = rows(predicted)
    assert {row["case"] for row in review} == set(found)
    assert [row["priority"] for row in review] == ["1", "2"]
    assert {row["case"]: row["status"] for row in review} == {case: row["status"] for case, row in found.items()}
    record = read_json(predicted / "run.json")
    assert record["inputs_checked"] is True
    assert set(record["memory"]["predicted_gb"]) == set(found)
    assert all(0 < needed < record["memory"]["allowed_gb"] for needed in record["memory"]["predicted_gb"].values())


def test_a_case_that_takes_more_memory_than_it_may_fails_with_what_is_missing(
    run: Path, images: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(run, images[0], tmp_path / "out", "--max-memory", "0.1") == 3
    assert "GB are missing; use a machine with more memory or a larger --max-memory" in capsys.readouterr().err
    assert [row["code"] for row in rows(tmp_path / "out").values()] == ["too_large"]


def test_the_phases_of_a_patient_in_a_table_become_an_ejection_fraction(
    run: Path, images: tuple[Path, ...], tmp_path: Path
) -> None:
    table = tmp_path / "studies.csv"
    lines = [f"{path},one,{phase},170,70" for path, phase in zip(images, ("ED", "ES"), strict=True)]
    table.write_text("\n".join(("image,patient,phase,height_cm,weight_kg", *lines)) + "\n", encoding="utf-8")
    assert infer(run, table, tmp_path / "out") == 0
    with (tmp_path / "out" / "function.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["body_surface_m2"]) == pytest.approx((170 * 70 / 3600) ** 0.5, abs=1e-4)
    assert row["lv_ef_percent"] or row["reasons"]
    assert infer(run, images[0], tmp_path / "out", "--overwrite") == 0
    assert not list((tmp_path / "out").glob("function*"))
