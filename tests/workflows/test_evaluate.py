"""Label maps against references: the identity is perfect, and nothing that is missing looks like a result."""

import csv
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from tests.fakes import program
from uumamba.core.files import read_json
from uumamba.imaging.files import read_label_map, write_label_map
from uumamba.imaging.image import Image

TABLES = {"scores.csv", "evaluation.json", "report.html"}
CLINICAL = {"clinical.csv", "groups.csv"}


def evaluate(predictions: Path, references: Path, output: Path, *options: str | Path) -> int:
    """`uumamba evaluate`."""
    arguments = ("--predictions", predictions, "--references", references, "--output", output)
    return program.uumamba("evaluate", *arguments, *options)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names(output: Path) -> set[str]:
    """The files in a folder."""
    return {path.name for path in output.iterdir()}


@pytest.fixture(scope="module")
def training(data: Path) -> Path:
    """The folder of the training patients."""
    return data / "database" / "training"


@pytest.fixture(scope="module")
def perfect(training: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions that are the references, named after their images as `infer` names them."""
    folder = tmp_path_factory.mktemp("perfect")
    for file in training.glob("*/*_gt.nii.gz"):
        shutil.copy(file, folder / file.name.replace("_gt", ""))
    assert len(names(folder)) == 10
    return folder


@pytest.fixture(scope="module")
def evaluated(perfect: Path, training: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation of the perfect predictions, all on the training patients."""
    output = tmp_path_factory.mktemp("evaluated")
    assert evaluate(perfect, training, output, "--dataset", "acdc") == 0
    return output


def test_the_identity_is_perfect(evaluated: Path) -> None:
    scores = rows(evaluated / "scores.csv")
    assert len(scores) == 30
    found = [score for score in scores if score["outcome"] == "found"]
    assert len(found) > 20
    for score in found:
        assert (float(score["dice"]), float(score["hd95_mm"]), float(score["volume_error_ml"])) == (1.0, 0.0, 0.0)
    assert {score["outcome"] for score in scores} <= {"found", "absent"}
    document: dict[str, Any] = read_json(evaluated / "evaluation.json")
    assert (len(document["cases"]), document["failed"], document["predictions_without_reference"]) == (10, {}, [])
    assert (document["schema"], document["schema_version"]) == ("uumamba-evaluation", 1)
    assert document["note"] == "Research use only."
    assert document["origin"]["dataset"] == "acdc"
    assert {picture["kind"] for picture in document["pictures"]} == {"dice", "correlation", "bland_altman", "overlay"}
    assert all((evaluated / picture["file"]).is_file() for picture in document["pictures"])


def test_the_hearts_function_agrees_with_itself(evaluated: Path) -> None:
    measured = rows(evaluated / "clinical.csv")
    assert {row["patient"] for row in measured} == {f"patient00{number}" for number in range(1, 6)}
    ejection = [row for row in measured if row["measure"] == "lv_ef_percent"]
    assert len(ejection) == 5
    assert all(float(row["difference"]) == 0 and 5 < float(row["reference"]) < 90 for row in ejection)
    clinical = read_json(evaluated / "evaluation.json")["clinical"]
    assert len(clinical["measures"]) == 9
    assert all(measure["bias"] == 0 for measure in clinical["measures"])


def test_the_pictures_are_pictures(evaluated: Path) -> None:
    pictures = {path.name: matplotlib.image.imread(path) for path in evaluated.glob("*.png")}
    assert set(pictures) == {
        "dice.png", "correlation.png", "bland_altman.png", "overlay_worst.png", "overlay_second_worst.png",
        "overlay_middle.png", "overlay_best.png",
    }  # fmt: skip
    for name, pixels in pictures.items():
        assert np.ptp(pixels[..., :3]) > 0.5, name
    assert names(evaluated) == TABLES | CLINICAL | set(pictures)


def test_an_evaluation_in_which_no_case_can_be_scored_is_written_too(
    perfect: Path, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / sorted(perfect.iterdir())[0].name).write_text("no image")
    assert evaluate(broken, training, tmp_path / "out", "--dataset", "acdc") == 3
    assert "uumamba: 10 of 10 cases failed" in capsys.readouterr().err
    assert not any(name.startswith("overlay_") for name in names(tmp_path / "out"))


def test_a_missing_prediction_is_a_failure_and_all_else_is_written(
    perfect: Path, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = shutil.copytree(perfect, tmp_path / "some")
    lost = sorted(some.iterdir())[0]
    lost.unlink()
    case = lost.name.removesuffix(".nii.gz")
    assert evaluate(some, training, tmp_path / "out", "--dataset", "acdc") == 3
    error = capsys.readouterr().err
    assert f"uumamba: 1 of 10 cases failed, the first is {case}: no prediction" in error
    assert "scores.csv" in error
    assert names(tmp_path / "out") >= TABLES | CLINICAL | {"dice.png", "overlay_best.png"}
    summary = read_json(tmp_path / "out" / "evaluation.json")
    assert summary["failed"] == {case: "no prediction"}
    failed = [row for row in rows(tmp_path / "out" / "scores.csv") if row["case"] == case]
    assert [(row["outcome"], row["dice"]) for row in failed] == [("failed", "")] * 3
    for structure in summary["summary"]["structures"]:
        dice = structure["metrics"]["dice"]
        assert dice["mean"] == 1.0
        assert dice["mean_with_failures"] < 1.0


def test_names_of_the_structures_come_from_one_place(
    perfect: Path, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.yaml"
    labels.write_text("RV: 1\nMYO: 2\nLV: 3\n")
    output = tmp_path / "out"
    assert evaluate(perfect, training, output) == 2
    assert "give --dataset, or --labels, or both" in capsys.readouterr().err
    assert evaluate(perfect, training, output, "--dataset", "acdc", "--labels", labels) == 2
    assert "with --dataset the predictions have the data set's numbers" in capsys.readouterr().err
    assert not output.exists()


def test_a_label_file_does_without_a_data_set(perfect: Path, training: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.yaml"
    labels.write_text("right: 1\nmuscle: 2\nleft: 3\n")
    assert evaluate(perfect, training, tmp_path / "out", "--labels", labels) == 0
    assert {row["structure"] for row in rows(tmp_path / "out" / "scores.csv")} == {"right", "muscle", "left"}
    overlays = {f"overlay_{rank}.png" for rank in ("worst", "second_worst", "middle", "best")}
    assert names(tmp_path / "out") == TABLES | overlays | {"dice.png"}


def test_a_plain_folder_of_references_has_no_clinical_tables(perfect: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(perfect, tmp_path / "plain")
    assert evaluate(perfect, plain, tmp_path / "out", "--dataset", "acdc") == 0
    assert names(tmp_path / "out") == TABLES | {"dice.png"}


def test_acdcs_own_tree_with_a_broken_info_file_is_an_error(
    perfect: Path, my_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = my_data / "database" / "training" / "patient002" / "Info.cfg"
    info.write_text(info.read_text().replace("ES:", "end systole:"))
    assert evaluate(perfect, my_data / "database" / "training", tmp_path / "out", "--dataset", "acdc") == 2
    assert f"uumamba: {info}: the key 'ES' is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_official_test_split_alone_has_clinical_tables(my_data: Path, tmp_path: Path) -> None:
    shutil.rmtree(my_data / "database" / "training")
    testing = my_data / "database" / "testing"
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for file in testing.glob("*/*_gt.nii.gz"):
        shutil.copy(file, predictions / file.name.replace("_gt", ""))
    assert evaluate(predictions, my_data, tmp_path / "out", "--dataset", "acdc") == 0
    assert {row["patient"] for row in rows(tmp_path / "out" / "clinical.csv")} == {"patient101"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fold", "all", "--dataset", "acdc"), "--fold all: holds out no case"),
        (("--fold", "0"), "--fold and --split need --dataset"),
        (("--dataset", "acdk"), "--dataset acdk: no such data set; there are acdc"),
        (("--labels", "none.yaml"), "none.yaml"),
        (("--dataset", "acdc", "--groups", "none.csv"), "none.csv: no such file"),
        (("--dataset", "acdc", "--cases", "none.csv"), "--cases none.csv: no such file"),
        (("--dataset", "acdc", "--cases", "a", "--fold", "0"), "--cases chooses the cases, and so do --fold"),
        (("--dataset", "acdc", "--references", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    options: tuple[str, ...], message: str, perfect: Path, training: Path, work: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert evaluate(perfect, training, tmp_path / "out", "--work", work, *options) == 2
    assert f"uumamba: {message}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_infer_writes_of_a_fold_can_be_evaluated_for_that_fold(
    run: Path, trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fold = ("--dataset", "acdc", "--fold", "1", "--work", trained)
    predictions, output = tmp_path / "predictions", tmp_path / "out"
    assert program.uumamba("infer", "--model", run, "--input", data, "--output", predictions, *fold) == 0
    assert evaluate(predictions, data, output, *fold) == 0
    assert "Research use only." in capsys.readouterr().out
    held_out = read_json(trained / "acdc" / "folds.json")[1]["validation"]
    assert sorted({row["case"] for row in rows(output / "scores.csv")}) == sorted(held_out)
    assert {row["patient"] for row in rows(output / "clinical.csv")} == {name.split("_")[0] for name in held_out}


def test_a_data_set_of_ones_own_is_known_by_its_name_where_it_was_preprocessed(
    perfect: Path, training: Path, work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work / "acdc", tmp_path / "hearts", ignore=shutil.ignore_patterns("preprocessed", "runs"))
    options = ("--dataset", "hearts", "--work", tmp_path)
    assert evaluate(perfect, training, tmp_path / "out", *options) == 0
    assert {row["structure"] for row in rows(tmp_path / "out" / "scores.csv")} == {"RV", "MYO", "LV"}


def test_references_in_another_order_without_a_structure(perfect: Path, tmp_path: Path) -> None:
    """As in Sunnybrook: LV 1, muscle 2 at end-diastole alone, no RV; what is not labelled makes no prediction worse."""
    references = tmp_path / "references"
    references.mkdir()
    for place, file in enumerate(sorted(perfect.iterdir())):
        original = read_label_map(file)
        changed = np.select([original.data == 3, (original.data == 2) & (place % 2 == 0)], [1, 2], 0)
        write_label_map(references / file.name, changed.astype(np.uint8), original)
    labels, output = tmp_path / "labels.yaml", tmp_path / "out"
    labels.write_text("references: {LV: 1, MYO: 2}\noptional: [MYO]\n")
    assert evaluate(perfect, references, output, "--dataset", "acdc", "--labels", labels) == 0
    scores = rows(output / "scores.csv")
    assert [row["outcome"] for row in scores if row["structure"] == "MYO"] == ["found", "not labelled"] * 5
    assert {row["dice"] for row in scores} == {"1.0", ""}
    document = read_json(output / "evaluation.json")
    assert document["not_compared"] == {"predictions": ["RV"], "references": []}
    assert document["structures"][1] == {
        "name": "LV", "prediction_numbers": [3], "reference_numbers": [1], "optional": False,
        "tubular": False,
    }  # fmt: skip


def test_some_cases_and_a_table_of_groups_replace_an_earlier_evaluation(
    perfect: Path, training: Path, tmp_path: Path
) -> None:
    output, table = tmp_path / "out", tmp_path / "table.csv"
    assert evaluate(perfect, training, output, "--dataset", "acdc") == 0
    (output / "notes.txt").write_text("mine")
    chosen = sorted(path.name.removesuffix(".nii.gz") for path in perfect.iterdir())[:2]
    table.write_text(f"case,vendor\n{chosen[0]},GE\n")
    plain = shutil.copytree(perfect, tmp_path / "plain")
    options = ("--dataset", "acdc", "--cases", ",".join(chosen), "--groups", table)
    assert evaluate(perfect, plain, output, *options) == 0
    assert names(output) == TABLES | {"dice.png", "groups.csv", "notes.txt"}
    assert {row["case"] for row in rows(output / "scores.csv")} == set(chosen)
    assert [row["group"] for row in rows(output / "groups.csv") if row["metric"] == "dice"] == [
        *["GE"] * 3,
        *["not given"] * 3,
    ]


def test_a_folder_with_files_of_something_else_is_left_alone(
    perfect: Path, training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.csv").write_text("player,points\n")
    assert evaluate(perfect, training, tmp_path, "--dataset", "acdc") == 2
    assert "holds a scores.csv that is not of an evaluation" in capsys.readouterr().err
    assert (tmp_path / "scores.csv").read_text() == "player,points\n"


def test_vessels_have_columns_of_their_own_in_every_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the label file calls tubular: CSV, JSON, screen and page."""
    reference = np.zeros((20, 16, 12), dtype=np.uint8)
    reference[2:18, 2:8, 2:10], reference[2:18, 10:12, 4:6] = 1, 2
    broken = reference.copy()
    broken[9:11, 10:12] = 0
    for case in ("a", "b", "c"):
        for folder, label_map in (("predictions", broken), ("references", reference)):
            (tmp_path / folder).mkdir(exist_ok=True)
            like = Image(label_map.astype(np.float32), np.diag([0.5, 0.5, 0.5, 1.0]))
            write_label_map(tmp_path / folder / f"{case}.nii.gz", label_map, like)
    (tmp_path / "predictions" / "c.nii.gz").unlink()
    labels, output = tmp_path / "labels.yaml", tmp_path / "out"
    labels.write_text("labels: {heart: 1, LAD: 2}\ntubular: [LAD]\n")
    assert evaluate(tmp_path / "predictions", tmp_path / "references", output, "--labels", labels) == 3
    assert "clDice   centreline overlap   Betti-0 error" in capsys.readouterr().out
    heart, vessel, *_, failed = rows(output / "scores.csv")
    assert (heart["cldice"], heart["betti0_error"], heart["prediction_components"]) == ("", "", "")
    assert (vessel["betti0_error"], vessel["prediction_components"], vessel["reference_components"]) == (
        "1.0",
        "2",
        "1",
    )
    assert 0.8 < float(vessel["cldice"]) < 1.0
    assert (failed["cldice"], failed["reference_components"]) == ("", "1")
    document = read_json(output / "evaluation.json")
    assert [each["tubular"] for each in document["structures"]] == [False, True]
    assert "cldice" not in document["cases"][0]["scores"]["heart"]["metrics"]
    assert document["cases"][0]["scores"]["LAD"]["prediction_components"] == 2
    assert document["summary"]["structures"][1]["metrics"]["betti0_error"]["mean_with_failures"] == 1.0
    assert document["summary"]["overall"]["cldice"]["structures"] == 1
    page = (output / "report.html").read_text(encoding="utf-8")
    assert all(title in page for title in ("clDice", "centreline overlap", "Betti-0 error"))
