"""uumamba measure, whole: files in, a table, a document and a picture of each out; what fails fails alone."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.fakes.program import uumamba
from tests.fakes.tubes import bulging, draw
from uumamba.core.errors import InputError
from uumamba.imaging.files import write_label_map
from uumamba.imaging.image import Image
from uumamba.reporting.style import save_figure
from uumamba.workflows.measure import find_masks, measure

AFFINE = np.array([[-1.0, 0, 0, 100], [0, -1, 0, 50], [0, 0, 1, -30], [0, 0, 0, 1]])


def write(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_label_map(path, labels.astype(np.uint8), Image(np.zeros(labels.shape, dtype=np.float32), affine))
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "measures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tube() -> np.ndarray:
    return draw(bulging((0, 0, 1), 50, 3.3, 3.0, at_mm=30))[0]


def test_masks_of_every_format_give_a_row_a_document_and_a_picture(
    tmp_path: Path, tube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = [write(tmp_path / "in" / name, tube) for name in ("a_gt.nii.gz", "b.mha", "c.nrrd")]
    out = tmp_path / "out"
    assert uumamba("measure", *masks, "--kind", "aorta", "--output", out) == 0
    shown = capsys.readouterr().out
    assert "Research use only." in shown
    table = rows(out)
    assert [(row["case"], row["kind"], row["structure"], row["status"]) for row in table] == [
        (case, "aorta", "aorta", "ok") for case in "abc"
    ]
    assert len({tuple(value for key, value in row.items() if key not in ("case", "file")) for row in table}) == 1
    (row, *_) = table
    assert float(row["length_mm"]) == pytest.approx(50, rel=0.02)
    assert float(row["volume_ml"]) == pytest.approx(tube.sum() / 1000)
    assert float(row["max_diameter_mm"]) == pytest.approx(12.6, abs=0.5)
    assert row["broken_branches"] == "0"
    middle = np.argwhere(tube).mean(axis=0)
    x, y, _ = (AFFINE @ [*middle, 1])[:3]
    assert [float(row["max_diameter_x_mm"]), float(row["max_diameter_y_mm"])] == pytest.approx([x, y], abs=0.5)
    document = json.loads((out / "a.json").read_text())
    assert (document["schema"], document["kind"], document["positions"]) == ("uumamba-measures", "aorta", "RAS, mm")
    profile = document["vessels"][0]["profile"]
    assert len({len(values) for values in profile.values()}) == 1
    assert all(
        (value is None) != (why is None)
        for value, why in zip(*(profile[key] for key in ("equivalent_mm", "reason")), strict=True)
    )
    assert {path.name for path in out.iterdir()} == {
        "measures.csv", "run.json", *(f"{case}.{end}" for case in "abc" for end in ("json", "png")),
    }  # fmt: skip
    assert json.loads((out / "run.json").read_text())["masks"] == {
        case: str(mask) for case, mask in zip("abc", masks, strict=True)
    }


def test_turned_axes_give_the_very_same_numbers(tmp_path: Path, tube: np.ndarray) -> None:
    turned = AFFINE.copy()
    turned[:, [0, 1, 2]] = AFFINE[:, [2, 0, 1]]
    write(tmp_path / "a.nii.gz", tube)
    write(tmp_path / "b.nii.gz", tube.transpose(2, 0, 1), turned)
    assert uumamba("measure", tmp_path, "--kind", "coronary", "--output", tmp_path / "out") == 0
    first, second = rows(tmp_path / "out")
    assert {key for key in first if first[key] != second[key]} == {"case", "file"}


def test_zones_have_rows_by_number_or_by_name(tmp_path: Path, tube: np.ndarray) -> None:
    labels = tube.astype(np.uint8)
    labels[:, :, 30:] *= 7
    mask = write(tmp_path / "a.nii.gz", labels)
    assert uumamba("measure", mask, "--kind", "aorta", "--output", tmp_path / "out") == 0
    assert [row["structure"] for row in rows(tmp_path / "out")] == ["aorta", "label 1", "label 7"]
    (tmp_path / "names.yaml").write_text("Zone 0: 1\nZone 1: 7\nZone 2: 9\n")
    options = ("--kind", "aorta", "--output", tmp_path / "out", "--labels", tmp_path / "names.yaml")
    assert uumamba("measure", mask, *options) == 2
    assert uumamba("measure", mask, *options, "--overwrite") == 0
    whole, first, second, third = rows(tmp_path / "out")
    assert [whole["structure"], first["structure"], second["structure"]] == ["aorta", "Zone 0", "Zone 1"]
    assert float(first["length_mm"]) + float(second["length_mm"]) == pytest.approx(float(whole["length_mm"]), abs=0.1)
    assert (first["components"], third["volume_ml"], third["reasons"]) == ("", "", "Zone 2 is absent")


def test_an_aorta_in_the_zones_of_aortaseg24_has_their_names(tmp_path: Path, tube: np.ndarray) -> None:
    zones = 1 + np.arange(tube.shape[2]) * 20 // tube.shape[2]
    mask = write(tmp_path / "a.nii.gz", tube * zones)
    assert uumamba("measure", mask, "--kind", "aorta", "--output", tmp_path / "out") == 0
    table = {row["structure"]: row for row in rows(tmp_path / "out")}
    assert list(table)[:3] == ["aorta", "Zone 0", "Innominate"]
    assert len(table) == 24
    assert table["Zone 11 L"]["reasons"] == "Zone 11 L is absent"
    assert table["Zone 4"]["max_equivalent_mm"]


def test_an_empty_mask_is_no_failure_and_no_number(tmp_path: Path) -> None:
    mask = write(tmp_path / "a.nii.gz", np.zeros((12, 12, 12)))
    assert uumamba("measure", mask, "--kind", "aorta", "--output", tmp_path / "out") == 0
    (row,) = rows(tmp_path / "out")
    assert (row["volume_ml"], row["max_diameter_mm"], row["components"]) == ("", "", "")
    assert row["reasons"] == "aorta is absent: the mask is empty"


def test_a_file_that_is_no_label_map_fails_alone(
    tmp_path: Path, tube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in" / "good.nii.gz", tube)
    (tmp_path / "in" / "bad.nii.gz").write_bytes(b"no image")
    assert uumamba("measure", tmp_path / "in", "--kind", "aorta", "--output", tmp_path / "out") == 3
    assert "1 of 2 masks failed, the first is bad: " in capsys.readouterr().err
    bad, good = rows(tmp_path / "out")
    assert (bad["status"], bad["volume_ml"], good["status"]) == ("failed", "", "ok")
    assert "bad.nii.gz" in bad["reasons"]


def test_ventricles_have_volumes_and_a_mass(tmp_path: Path) -> None:
    labels = np.zeros((30, 30, 10))
    labels[8:22, 8:22, 2:8], labels[11:19, 11:19, 2:8] = 1, 2
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    mask = write(tmp_path / "a.nii.gz", labels, affine)
    (tmp_path / "names.yaml").write_text("LV: 2\nMYO: 1\nRV: 3\n")
    out = tmp_path / "out"
    assert uumamba("measure", mask, "--kind", "ventricle", "--output", out, "--labels", tmp_path / "names.yaml") == 0
    lv, myo, rv = rows(out)
    assert float(lv["volume_ml"]) == pytest.approx(64 * 6 * 18 / 1000)
    assert float(myo["mass_g"]) == pytest.approx(132 * 6 * 18 / 1000 * 1.05)
    assert (rv["volume_ml"], rv["reasons"]) == ("", "RV is absent")
    assert (out / "a.png").stat().st_size > 5000


def test_ventricles_need_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = write(tmp_path / "a.nii.gz", np.ones((4, 4, 4)))
    assert uumamba("measure", mask, "--kind", "ventricle", "--output", tmp_path / "out") == 2
    assert "--kind ventricle needs --labels FILE with the numbers of LV, MYO and RV" in capsys.readouterr().err
    (tmp_path / "names.yaml").write_text("aorta: 1\n")
    options = ("--kind", "ventricle", "--output", tmp_path / "out", "--labels", tmp_path / "names.yaml")
    assert uumamba("measure", mask, *options) == 3
    assert "no structure is called LV, MYO, RV, got aorta; name them by --labels" in capsys.readouterr().err


def test_nothing_of_anybody_elses_is_replaced(
    tmp_path: Path, tube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    mask, out = write(tmp_path / "a.nii.gz", tube), tmp_path / "out"
    out.mkdir()
    (out / "a.json").write_text("mine")
    assert uumamba("measure", mask, "--kind", "aorta", "--output", out, "--overwrite") == 2
    assert "a.json: is there already and not of measures" in capsys.readouterr().err
    assert uumamba("measure", mask, "--kind", "aorta", "--output", mask) == 2
    assert "is a file; give a folder as --output" in capsys.readouterr().err
    assert (out / "a.json").read_text() == "mine"


def test_of_a_folder_the_files_with_a_label_maps_name_are_taken(tmp_path: Path) -> None:
    for name in ("1.img.nii.gz", "1.label.nii.gz", "2.img.nii.gz", "2.label.nii.gz"):
        (tmp_path / name).touch()
    assert find_masks([tmp_path]) == {case: tmp_path / f"{case}.label.nii.gz" for case in "12"}
    with pytest.raises(InputError, match=r"both are 1; rename one, or measure them in two runs"):
        find_masks(
            [tmp_path, tmp_path / "deep" / ".." / "1.label.nii.gz"] if (tmp_path / "deep").mkdir() is None else []
        )
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no label map; NIfTI, NRRD and MetaImage are read"):
        find_masks([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"3\.nii\.gz: no such file or folder"):
        find_masks([tmp_path / "3.nii.gz"])


def test_a_run_that_was_stopped_can_be_begun_again(
    tmp_path: Path, tube: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks, out = [write(tmp_path / f"{case}.nii.gz", tube) for case in "ab"], tmp_path / "out"

    def stopped(figure: Figure, path: Path) -> None:
        save_figure(figure, path)
        if path.stem == "b":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("uumamba.workflows.measure.save_figure", stopped)
        with pytest.raises(KeyboardInterrupt):
            measure(masks, out, kind="aorta")
    assert [(row["case"], row["status"]) for row in rows(out)] == [("a", "not reached"), ("b", "not reached")]
    measure(masks, out, kind="aorta", overwrite=True)
    assert [(row["case"], row["status"]) for row in rows(out)] == [("a", "ok"), ("b", "ok")]


def test_a_mask_may_not_take_the_records_place(tmp_path: Path, tube: np.ndarray) -> None:
    mask = write(tmp_path / "run.nii.gz", tube)
    with pytest.raises(InputError, match=r"the mask run: run\.json is the record of all; rename the mask"):
        measure([mask], tmp_path / "out", kind="aorta")


def test_an_image_is_not_taken_for_a_label_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grey = np.arange(10 * 10 * 10, dtype=np.uint8).reshape(10, 10, 10)
    write_label_map(tmp_path / "ct.nii.gz", grey, like=Image(grey, np.eye(4)))
    assert uumamba("measure", tmp_path / "ct.nii.gz", "--kind", "aorta", "--output", tmp_path / "out") == 3
    assert "it has 255 numbers, is it an image and not a label map? else name them with" in capsys.readouterr().err
