"""Hearts of a batch: series and pairs of phases become files and one table, also after a batch that was resumed."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.beating import LABELS, Beat, draw_beat
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.imaging.image import Image
from uumamba.imaging.time_axis import TimeAxis, TimeUnit
from uumamba.inference.case_table import CaseResult, Status, write_cases
from uumamba.inference.inputs import CaseInput
from uumamba.inference.prediction import Prediction
from uumamba.measures import INDEXED, MEASURES, measure_series
from uumamba.workflows.heart_function import HeartFunctions

AFFINE = np.diag([2.0, 2.0, 10.0, 1.0])


@pytest.fixture(scope="module")
def beat() -> Beat:
    return draw_beat((2.0, 2.0, 10.0), first=2)


def case_of(name: str, **details: str) -> CaseInput:
    return CaseInput(name, (Path(f"{name}.nii.gz"),), details)


def add(hearts: HeartFunctions, case: CaseInput, labels: np.ndarray, time: TimeAxis | None = None) -> None:
    hearts.add(case, Image(labels.astype(np.float32), AFFINE, time=time), Prediction(labels, {}))


def write_table(folder: Path, *names: str, status: Status = "ok", table: str = "cases.csv") -> None:
    """The table of a batch in which all cases ended alike."""
    rows = [
        CaseResult(
            case=name, status=status, code="", reason="", inputs=(), output=Path(name), seconds=1, repairs=(),
            confidence={}, input_sha256="", settings_sha256="", output_sha256="",
        )
        for name in names
    ]  # fmt: skip
    write_cases(folder / table, rows)


def read_table(path: Path | None) -> list[dict[str, str]]:
    assert path is not None
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_series_has_its_files_and_its_row(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    add(hearts, case_of("a/one", height_cm="180", weight_kg="80,0"), beat.labels, TimeAxis(0.04, unit="sec"))
    write_table(tmp_path, "a/one")
    path = hearts.finish()
    assert path == tmp_path / "function.csv"
    (row,) = read_table(path)
    content = read_json(tmp_path / "function" / "a" / "one.json")
    assert (tmp_path / "function" / "a" / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (row["case"], row["kind"], row["ed"], row["es"]) == ("a/one", "series", "3", "9")
    assert (content["ed"], content["es"], content["frame_ms"], content["frames_counted_from"]) == (3, 9, 40.0, 1)
    truth = measure_series(beat.labels, beat.spacing_mm, LABELS, height_cm=180, weight_kg=80)
    for name in (*MEASURES, *INDEXED):
        assert float(row[name]) == pytest.approx(truth.measures[name].value, abs=1e-6)
        assert content["measures"][name] == {"value": truth.measures[name].value, "reason": None}
    assert (row["body_surface_m2"], row["frames_left_out"], row["reasons"]) == ("2.0", "", "")
    assert [volume["value"] for volume in content["volumes_ml"]["LV"]] == [
        volume.value for volume in truth.volumes_ml["LV"]
    ]


def test_no_number_has_a_reason_in_both_files(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    labels = beat.labels.copy()
    labels[:, :, 3] = 0
    add(hearts, case_of("cut"), labels)
    write_table(tmp_path, "cut")
    (row,) = read_table(hearts.finish())
    content = read_json(tmp_path / "function" / "cut.json")
    assert (row["ed"], row["lv_ef_percent"], content["ed"]) == ("", "", None)
    assert "LV is missing in slice 4, between slices that have it" in row["reasons"]
    assert content["measures"]["lv_ef_percent"]["value"] is None
    assert "LV is missing in slice 4" in content["no_phases_because"]
    assert content["body_surface_m2"]["reason"] == "the patient's height and weight are not given"


@pytest.mark.parametrize(
    ("step", "unit", "frame_ms"), [(1.0, "sec", None), (30.0, "msec", 30.0), (1.0, "unknown", None), (0.0, "sec", None)]
)
def test_a_headers_time_is_used_if_a_heart_could_beat_so(
    tmp_path: Path, beat: Beat, step: float, unit: TimeUnit, frame_ms: float | None
) -> None:
    add(HeartFunctions(tmp_path, LABELS), case_of("one"), beat.labels, TimeAxis(step, unit=unit))
    assert read_json(tmp_path / "function" / "one.json")["frame_ms"] == frame_ms


def test_a_pair_of_phases_is_the_series_of_both(tmp_path: Path, beat: Beat) -> None:
    body = {"height_cm": "172.5", "weight_kg": "76"}
    add(HeartFunctions(tmp_path, LABELS), case_of("scan_7", patient="p1", phase="es", **body), beat.labels[..., 8])
    later = HeartFunctions(tmp_path, LABELS)
    add(later, case_of("scan_3", patient="p1", phase="ED"), beat.labels[..., 2])
    write_table(tmp_path, "scan_7", table="cases_1_of_2.csv")
    write_table(tmp_path, "scan_3", table="cases_2_of_2.csv")
    (row,) = read_table(later.finish())
    truth = measure_series(beat.labels, beat.spacing_mm, LABELS, height_cm=172.5, weight_kg=76)
    assert (row["case"], row["kind"], row["ed"], row["es"]) == ("p1_ED_ES", "pair", "scan_3", "scan_7")
    for name in (*MEASURES, *INDEXED):
        assert float(row[name]) == pytest.approx(truth.measures[name].value, abs=1e-6)
    assert read_json(tmp_path / "function" / "p1_ED_ES.json")["measures"]["lv_ef_percent"]["value"] == (
        truth.measures["lv_ef_percent"].value
    )


@pytest.mark.parametrize(
    ("phases", "reason"),
    [(["ED"], "0 cases of the patient are ES"), (["ED", "ES", "ES"], "2 cases of the patient are")],
)
def test_without_its_partner_a_phase_gives_what_it_can(
    tmp_path: Path, beat: Beat, phases: list[str], reason: str
) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    for number, phase in enumerate(phases):
        add(hearts, case_of(f"scan_{number}", patient="p1", phase=phase), beat.labels[..., 2])
    write_table(tmp_path, *(f"scan_{number}" for number in range(len(phases))))
    (row,) = read_table(hearts.finish())
    assert float(row["lv_edv_ml"]) > 50
    assert float(row["myocardial_mass_g"]) > 50
    assert row["lv_ef_percent"] == ""
    assert reason in row["reasons"]


def test_what_failed_or_is_of_another_batch_is_not_in_the_table(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    for name in ("good", "bad", "old"):
        add(hearts, case_of(name), beat.labels)
    write_table(tmp_path, "bad", status="failed", table="cases_1_of_2.csv")
    write_table(tmp_path, "good", status="flagged", table="cases_2_of_2.csv")
    assert [row["case"] for row in read_table(hearts.finish())] == ["good"]


def test_nothing_to_measure_writes_nothing(tmp_path: Path, beat: Beat) -> None:
    aorta = HeartFunctions(tmp_path, LabelSet(names=("background", "aorta")))
    add(aorta, case_of("series"), beat.labels)
    add(HeartFunctions(tmp_path, LABELS), case_of("volume"), beat.labels[..., 0])
    assert aorta.finish() is None
    assert not list(tmp_path.iterdir())


def test_a_case_that_is_predicted_anew_leaves_nothing_of_before(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    add(hearts, case_of("one"), beat.labels)
    write_table(tmp_path, "one")
    assert hearts.finish() == tmp_path / "function.csv"
    add(hearts, case_of("one"), beat.labels[..., 0])
    assert hearts.finish() is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["cases.csv"]
    (tmp_path / "function.csv").write_text("x,f(x)\n")
    assert hearts.finish() is None
    assert (tmp_path / "function.csv").exists()


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"patient": "p", "phase": "rest"}, "one: its phase is 'rest', not ED or ES: no function of the heart"),
        ({"phase": "ED"}, "one: its patient '' cannot name a file: no function of the heart"),
        ({"patient": "../p", "phase": "ED"}, "one: its patient '../p' cannot name a file"),
        ({"patient": "a\\b", "phase": "ED"}, r"one: its patient 'a\\b' cannot name a file"),
    ],
)
def test_phases_that_cannot_be_paired_are_warned_about(
    tmp_path: Path, beat: Beat, details: dict[str, str], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    add(HeartFunctions(tmp_path, LABELS), case_of("one", **details), beat.labels[..., 0])
    assert message in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_height_that_is_no_number_costs_the_index_alone(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    add(hearts, case_of("one", height_cm="tall", weight_kg="80"), beat.labels)
    for number, phase in ((2, "ED"), (8, "ES")):
        body = {"height_cm": "tall", "weight_kg": "80"}
        add(hearts, case_of(phase, patient="p", phase=phase, **body), beat.labels[..., number])
    write_table(tmp_path, "one", "ED", "ES")
    rows = read_table(hearts.finish())
    assert [row["kind"] for row in rows] == ["series", "pair"]
    for row in rows:
        assert (row["lv_edv_ml_per_m2"], row["body_surface_m2"]) == ("", "")
        assert float(row["lv_ef_percent"]) > 40
    content = read_json(tmp_path / "function" / "one.json")
    assert content["body_surface_m2"] == {"value": None, "reason": "the patient's height is not a number"}


def test_what_earlier_batches_measured_is_removed_and_nothing_else(tmp_path: Path, beat: Beat) -> None:
    hearts = HeartFunctions(tmp_path, LABELS)
    add(hearts, case_of("a/one"), beat.labels)
    for phase, frame in (("ED", 2), ("ES", 8)):
        add(hearts, case_of(phase, patient="Anna", phase=phase), beat.labels[..., frame])
    write_table(tmp_path, "a/one", "ED")
    write_table(tmp_path, "ES", "none", table="cases_1_of_2.csv")
    hearts.finish()
    assert (tmp_path / "function" / "Anna_ED_ES.json").is_file()
    (tmp_path / "function" / "notes.txt").touch()
    hearts.remove()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"cases.csv", "cases_1_of_2.csv", "function/notes.txt"}
    (tmp_path / "function" / "notes.txt").unlink()
    (tmp_path / "function" / "a").rmdir()
    hearts.remove()
    assert not (tmp_path / "function").exists()
