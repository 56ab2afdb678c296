"""A beating heart of known volumes is measured as what it is, or not at all where it is not all there."""

import numpy as np
import pytest

from tests.fakes.beating import LABELS, Beat, draw_beat
from uumamba.core.labels import LabelSet
from uumamba.measures import INDEXED, MEASURES, HeartFunction, Measurement, measure_pair, measure_series, whole_volumes

FINE, MIDDLE, COARSE = (1.0, 1.0, 4.0), (1.5, 1.5, 8.0), (2.0, 2.0, 10.0)


def measure(beat: Beat, labels: np.ndarray | None = None) -> HeartFunction:
    return measure_series(beat.labels if labels is None else labels, beat.spacing_mm, LABELS)


def value(function: HeartFunction, name: str) -> float:
    measured = function.measures[name].value
    assert measured is not None, function.measures[name].reason
    return measured


@pytest.fixture(scope="module")
def beat() -> Beat:
    return draw_beat(MIDDLE, first=2)


@pytest.mark.parametrize("group", ["NOR", "DCM", "HCM"])
@pytest.mark.parametrize(
    ("spacing_mm", "travel_slices"), [(FINE, 0), (MIDDLE, 0), (COARSE, 0), (FINE, 3), (MIDDLE, 2), (COARSE, 1)]
)
def test_ejection_fraction_of_the_phantom(
    spacing_mm: tuple[float, float, float], travel_slices: int, group: str
) -> None:
    """The base comes down by whole slices: what falls between two slices no label map can show."""
    beat = draw_beat(spacing_mm, group=group, frames=2, travel_slices=travel_slices)
    function = measure(beat)
    assert (function.phases.end_diastole, function.phases.end_systole) == (0, 1)
    assert value(function, "lv_ef_percent") == pytest.approx(beat.ejection_fraction_percent, abs=1.0)
    assert value(function, "lv_edv_ml") == pytest.approx(beat.cavity_ml.max(), rel=0.02)
    assert value(function, "lv_esv_ml") == pytest.approx(beat.cavity_ml.min(), rel=0.03)
    assert value(function, "myocardial_mass_g") == pytest.approx(1.05 * beat.wall_ml[0], rel=0.05)


def test_every_frame_has_its_volume(beat: Beat) -> None:
    function = measure(beat)
    curve = [volume.value for volume in function.volumes_ml["LV"]]
    assert curve == pytest.approx(beat.cavity_ml.tolist(), rel=0.02)
    assert (function.phases.end_diastole, function.phases.end_systole) == (2, 8)
    assert function.phases.left_out == {}
    assert function.volumes_ml.keys() == {"RV", "MYO", "LV"}
    assert function.measures.keys() == {*MEASURES, *INDEXED}


def test_the_right_ventricle_is_measured_at_the_same_two_frames(beat: Beat) -> None:
    function = measure(beat)
    volumes = function.volumes_ml["RV"]
    assert function.measures["rv_edv_ml"] == volumes[2]
    assert function.measures["rv_esv_ml"] == volumes[8]


def test_a_series_of_two_frames_is_a_pair(beat: Beat) -> None:
    pair = beat.labels[..., [2, 8]]
    phases = [whole_volumes(pair[..., frame], beat.spacing_mm, LABELS) for frame in (0, 1)]
    body = {"height_cm": 172.0, "weight_kg": 70.0}
    series = measure_series(pair, beat.spacing_mm, LABELS, **body)
    assert measure_pair(*phases, **body) == series
    assert series.measures | {} == measure_series(beat.labels, beat.spacing_mm, LABELS, **body).measures


def test_measures_are_indexed_by_body_surface(beat: Beat) -> None:
    function = measure_series(beat.labels, beat.spacing_mm, LABELS, height_cm=180, weight_kg=80)
    assert function.body_surface_m2 == Measurement(2.0)
    assert len(INDEXED) == 7
    for indexed, name in INDEXED.items():
        assert value(function, indexed) == value(function, name) / 2
    assert measure(beat).measures["lv_edv_ml_per_m2"].reason == "the patient's height and weight are not given"


def test_missing_slices_give_no_number(beat: Beat) -> None:
    labels = beat.labels.copy()
    labels[:, :, 3:5] = 0
    function = measure(beat, labels)
    for name, number in function.measures.items():
        assert number.value is None, name
    assert function.measures["lv_ef_percent"].reason == (
        "at ED no frame could be chosen: 0 of 12 frames show a whole LV, too few (frame 1: LV is missing in slice 4, "
        "5, between slices that have it)"
    )


def test_cut_by_the_field_of_view_gives_no_number(beat: Beat) -> None:
    middle = beat.labels.shape[0] // 2
    function = measure(beat, beat.labels[middle - 5 :])
    assert function.measures["lv_ef_percent"].value is None
    assert "cut by the field of view" in str(function.measures["lv_ef_percent"].reason)
    assert all(volume.value is None for volume in function.volumes_ml["LV"])


def test_cut_by_the_ends_of_the_stack_gives_no_number(beat: Beat) -> None:
    function = measure(beat, beat.labels[:, :, :5])
    assert function.measures["lv_edv_ml"].value is None
    assert "cut by both ends of the stack" in str(function.measures["lv_edv_ml"].reason)


def test_one_structure_that_is_cut_leaves_the_others_their_numbers(beat: Beat) -> None:
    labels = beat.labels.copy()
    labels[:, :, 2][labels[:, :, 2] == 1] = 0
    function, whole = measure(beat, labels), measure(beat)
    assert function.measures["rv_ef_percent"] == Measurement(
        None, "at ED RV is missing in slice 3, between slices that have it"
    )
    assert function.measures["lv_ef_percent"] == whole.measures["lv_ef_percent"]


def test_a_frame_that_is_not_whole_is_left_out(beat: Beat) -> None:
    labels = beat.labels.copy()
    labels[:, :, 4, 5] = 0
    function = measure(beat, labels)
    assert function.phases.left_out == {5: "LV is missing in slice 5, between slices that have it"}
    assert function.volumes_ml["LV"][5].value is None
    assert function.measures == measure(beat).measures


def test_labels_without_a_left_ventricle() -> None:
    function = measure_series(np.ones((9, 9, 4, 3), np.uint8), COARSE, LabelSet(names=("background", "aorta")))
    assert function.measures["lv_ef_percent"] == Measurement(None, "at ED the labels have no LV")
    assert function.phases.reason == "the labels have no LV"
