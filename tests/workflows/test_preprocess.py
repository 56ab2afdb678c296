"""From a data set as it was downloaded to a work folder, and the same again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes import program
from tests.fakes.folders import contents, written
from tests.fakes.own_data import NAMES, write_decathlon, write_table
from uumamba.core.files import hash_file, read_json
from uumamba.data.datasets import acdc
from uumamba.data.plan import read_plan
from uumamba.data.splits import read_folds
from uumamba.data.store import PreprocessedStore
from uumamba.data.work_folder import WorkFolder
from uumamba.imaging.files import read_image, read_label_map, write_image, write_label_map
from uumamba.imaging.image import Image

CASES = 10


def references(data: Path) -> list[Path]:
    """The training cases' label maps."""
    return sorted(data.glob("database/training/*/*_gt.nii.gz"))


def record(work: Path) -> dict[str, Any]:
    """The cases in the record of the preprocessing."""
    return dict(read_json(work / "acdc" / "record.json")["cases"])


def store(work: Path) -> PreprocessedStore:
    """The preprocessed 2D cases."""
    return PreprocessedStore(work / "acdc" / "preprocessed" / "2d")


def spoil(file: Path, change: Callable[[Image], np.ndarray]) -> None:
    """Rewrite a label map."""
    label_map = read_label_map(file)
    write_label_map(file, change(label_map).astype(np.uint8), like=label_map)


def test_the_work_folder_holds_plans_folds_record_and_every_case(work: Path, data: Path) -> None:
    assert {path.name for path in (work / "acdc").iterdir()} >= {"record.json", "folds.json", "plan_2d.json", "nnunet"}
    assert {"plans.json", "dataset_fingerprint.json"} <= {path.name for path in (work / "acdc" / "nnunet").iterdir()}
    names = {file.name.removesuffix("_gt.nii.gz") for file in references(data)}
    assert len(names) == CASES
    assert set(store(work).cases()) == set(record(work)) == names
    assert read_plan(work / "acdc" / "plan_2d.json").labels.names == ("background", "RV", "MYO", "LV")


def test_the_record_knows_each_file_by_its_hash_and_each_patient(work: Path, data: Path) -> None:
    for name, case in record(work).items():
        folder = data / "database" / "training" / case["patient"]
        files = [folder / f"{name}.nii.gz", folder / f"{name}_gt.nii.gz"]
        assert case["sha256"] == {file.name: hash_file(file) for file in files}
        assert case["details"]["phase"] in ("ED", "ES")


def test_repairs_of_acdcs_header_are_on_record(work: Path) -> None:
    for name, case in record(work).items():
        assert any(repair.startswith(f"{name}.nii.gz: ") for repair in case["repairs"]), name


def test_a_patient_is_never_on_both_sides_of_a_fold(work: Path) -> None:
    folds = read_folds(work / "acdc" / "folds.json")
    assert len(folds) == 5
    for fold in folds:
        training, validation = ({name.split("_")[0] for name in side} for side in (fold.training, fold.validation))
        assert not training & validation
        assert len(fold.training) + len(fold.validation) == CASES


def test_preprocessing_again_from_another_place_writes_no_case_anew(data: Path, my_work: Path) -> None:
    before = written(my_work / "acdc" / "preprocessed")
    plans = written(my_work / "acdc" / "nnunet")
    assert len(before) == 4 * CASES
    assert program.preprocess(data, my_work) == 0
    assert written(my_work / "acdc" / "preprocessed") == before
    assert written(my_work / "acdc" / "nnunet") == plans


def test_two_processes_write_what_one_writes(data: Path, work: Path, my_work: Path) -> None:
    cases = store(work).cases()
    for lost in cases[:2]:
        shutil.rmtree(my_work / "acdc" / "preprocessed" / "2d" / lost)
    assert program.preprocess(data, my_work, "hardware.processes=2") == 0
    assert store(my_work).content_hash(cases) == store(work).content_hash(cases)


def test_a_lost_case_alone_is_stored_again(data: Path, my_work: Path) -> None:
    lost, *others = store(my_work).cases()
    before = written(my_work / "acdc" / "preprocessed")
    shutil.rmtree(my_work / "acdc" / "preprocessed" / "2d" / lost)
    assert program.preprocess(data, my_work) == 0
    assert set(store(my_work).cases()) == {lost, *others}
    after = written(my_work / "acdc" / "preprocessed")
    assert {name: time for name, time in after.items() if f"/{lost}/" not in name} == {
        name: time for name, time in before.items() if f"/{lost}/" not in name
    }


def test_a_new_configuration_leaves_the_old_one_alone(data: Path, my_work: Path) -> None:
    before = written(my_work / "acdc" / "preprocessed" / "2d")
    assert program.preprocess(data, my_work, "planning.configurations=[2d,3d_fullres]") == 0
    assert written(my_work / "acdc" / "preprocessed" / "2d") == before
    new = PreprocessedStore(my_work / "acdc" / "preprocessed" / "3d_fullres")
    assert new.cases() == store(my_work).cases()


def test_a_changed_label_map_and_a_changed_info_file_are_noticed(my_data: Path, my_work: Path) -> None:
    file = references(my_data)[0]
    case = file.name.removesuffix("_gt.nii.gz")
    spoil(file, lambda label_map: np.where(label_map.data == 1, 2, label_map.data))
    info = my_data / "database" / "training" / "patient002" / "Info.cfg"
    lines = [line for line in info.read_text().splitlines() if not line.startswith("Weight")]
    info.write_text("\n".join([*lines, "Weight: 101.5"]) + "\n")
    assert 1 in store(my_work).read_case(case)[1]
    assert program.preprocess(my_data, my_work) == 0
    assert 1 not in store(my_work).read_case(case)[1]
    changed = next(name for name in record(my_work) if name.startswith("patient002"))
    assert record(my_work)[changed]["details"]["weight_kg"] == 101.5
    assert store(my_work).record(changed).details["weight_kg"] == 101.5


def test_a_changed_setting_is_noticed(data: Path, my_work: Path) -> None:
    before = read_json(my_work / "acdc" / "record.json")["inputs"]
    assert program.preprocess(data, my_work, "planning.memory_gb=4") == 0
    assert read_json(my_work / "acdc" / "record.json")["inputs"] != before


def test_folds_may_change_before_the_first_run_but_not_after(
    data: Path, my_work: Path, my_trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "planning.folds=4"
    folds = read_folds(my_work / "acdc" / "folds.json")
    assert program.preprocess(data, my_work, other) == 0
    assert read_folds(my_work / "acdc" / "folds.json") != folds
    before = contents(my_trained)
    capsys.readouterr()
    assert program.preprocess(data, my_trained, other) == 2
    error = capsys.readouterr().err
    assert "folds.json: the folds would change" in error
    assert "use another --work" in error
    assert contents(my_trained) == before
    assert program.preprocess(data, my_trained) == 0


def test_all_broken_cases_are_listed_at_once_and_nothing_is_planned(
    my_data: Path, my_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut, strange, moved = references(my_data)[:3]
    cut.write_bytes(cut.read_bytes()[:-100])
    spoil(strange, lambda label_map: np.where(label_map.data == 3, 7, label_map.data))
    label_map = read_label_map(moved)
    write_label_map(moved, label_map.data[:-1], like=Image(label_map.data[:-1], label_map.affine))
    before = contents(my_work)
    assert program.preprocess(my_data, tmp_path / "new") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "uumamba: " in line or line.startswith("  ")]
    problems = lines[next(number for number, line in enumerate(lines) if "uumamba: " in line) :]
    assert problems[0] == f"uumamba: 3 of {CASES} cases cannot be used:"
    assert [file.name in line for file, line in zip((cut, strange, moved), problems[1:], strict=True)] == [True] * 3
    assert "found also 7" in problems[2]
    assert not (tmp_path / "new" / "acdc" / "record.json").exists()
    assert not list((tmp_path / "new").rglob("plan*.json"))
    assert not (tmp_path / "new" / "acdc" / "preprocessed").exists()
    assert program.preprocess(my_data, my_work) == 2
    assert contents(my_work) == before


@pytest.mark.parametrize("missing", ["Info.cfg", "*_gt.nii.gz"])
def test_a_missing_file_is_named(
    missing: str, my_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sorted((my_data / "database" / "training" / "patient003").glob(missing))[0]
    file.unlink()
    assert program.preprocess(my_data, tmp_path / "new") == 2
    assert f"uumamba: {file}: no such file" in capsys.readouterr().err


def test_an_image_whose_grid_is_another_is_told_with_both_files(
    my_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = references(my_data)[4]
    path = reference.with_name(reference.name.replace("_gt", ""))
    image = read_image(path)
    shifted = image.affine.copy()
    shifted[0, 3] += 50
    write_image(path, Image(image.data, shifted))
    assert program.preprocess(my_data, tmp_path / "new") == 2
    error = capsys.readouterr().err
    assert path.name in error
    assert reference.name in error


def preprocess_own(dataset: str, work: Path, *overrides: str) -> int:
    """`uumamba preprocess` of one's own data with tiny settings."""
    return program.uumamba("preprocess", "--dataset", dataset, "--work", work, *program.settings(*overrides))


def test_folds_of_an_earlier_version_are_kept_beside_their_runs(
    data: Path, my_work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not knowing that two patients are one person it could put them on two sides."""
    folds = "planning.folds=3"
    assert program.preprocess(data, my_work, folds) == 0
    before = read_folds(my_work / "acdc" / "folds.json")
    monkeypatch.setattr(acdc, "ONE_PERSON", (frozenset({"patient001", "patient002"}),))
    (my_work / "acdc" / "runs" / "acdc").mkdir(parents=True)
    assert program.preprocess(data, my_work, folds) == 0
    assert read_folds(my_work / "acdc" / "folds.json") == before
    assert "the folds of an earlier version are kept" in " ".join(capsys.readouterr().err.split())
    shutil.rmtree(my_work / "acdc" / "runs")
    assert program.preprocess(data, my_work, folds) == 0
    assert read_folds(my_work / "acdc" / "folds.json") != before


def test_a_changed_image_is_noticed_though_its_label_map_has_the_same_name(tmp_path: Path) -> None:
    write_decathlon(tmp_path / "boxes")
    assert preprocess_own(f"decathlon:{tmp_path / 'boxes'}", tmp_path / "work") == 0
    stored = WorkFolder(tmp_path / "work" / "boxes").store("2d").read_case(NAMES[0])[0]
    path = tmp_path / "boxes" / "imagesTr" / f"{NAMES[0]}.nii.gz"
    image = read_image(path)
    write_image(path, Image(image.data[::-1].copy(), image.affine))
    assert preprocess_own(f"decathlon:{tmp_path / 'boxes'}", tmp_path / "work") == 0
    assert (WorkFolder(tmp_path / "work" / "boxes").store("2d").read_case(NAMES[0])[0] != stored).any()


def test_a_work_folder_in_the_place_of_the_data_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both have a dataset.json, which would be lost."""
    write_decathlon(tmp_path / "boxes")
    before = contents(tmp_path)
    assert preprocess_own(f"decathlon:{tmp_path / 'boxes'}", tmp_path) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"--work {tmp_path}: would write into {tmp_path / 'boxes'}, which holds the data set itself" in error
    assert contents(tmp_path) == before


def test_no_plan_knows_what_is_kept_for_the_test(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    kept = ("planning.test_fraction=0.34", "planning.folds=2")
    assert preprocess_own(f"csv:{tmp_path / 'boxes.csv'}", tmp_path / "work", *kept) == 0
    folder = WorkFolder(tmp_path / "work" / "boxes")
    first, second = folder.read_folds()
    assert first.test == second.test
    assert len(first.test) == 2
    assert set(folder.store("2d").cases()) == set(folder.read_record()["cases"]) == set(NAMES) - set(first.test)
    assert len(read_json(folder.nnunet / "dataset_fingerprint.json")["spacings"]) == 4


def test_a_patient_on_both_sides_of_a_tables_fold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "boxes.csv"
    write_table(table, columns="case,image,label,patient,fold")
    table.write_text(table.read_text().replace("case0_seg.nii.gz,0,0", "case0_seg.nii.gz,0,1"))
    assert preprocess_own(f"csv:{table}", tmp_path / "work") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "boxes.csv: patient 0 is on both sides of fold 0, 1 (case0, case2, case4); give all cases of a" in error
    assert not (tmp_path / "work").exists()


def test_images_of_one_slice_have_no_3d_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "boxes.csv"
    write_table(table)
    for name in NAMES:
        flat = read_image(tmp_path / f"{name}.nii.gz")
        write_image(tmp_path / f"{name}.nii.gz", Image(flat.data[..., 5:6], flat.affine))
        path = tmp_path / f"{name}_seg.nii.gz"
        labels = read_label_map(path).data[..., 5:6]
        write_label_map(path, labels, like=Image(labels, flat.affine))
    assert preprocess_own(f"csv:{table}", tmp_path / "work", "planning.configurations=[2d,3d_fullres]") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "planning.configurations: 3d_fullres cannot be planned for images of one slice; leave it out" in error
    assert preprocess_own(f"csv:{table}", tmp_path / "work") == 0
