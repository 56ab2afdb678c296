"""Body surface: Mosteller's formula, and reasons where a height or weight is none."""

import math

import pytest

from uumamba.measures import INDEXED, MEASURES, Measurement, body_surface_m2
from uumamba.measures.body_surface import index_measures, title_of


def test_mosteller() -> None:
    assert body_surface_m2(180, 80) == Measurement(2.0)
    assert body_surface_m2(172.5, 76.4).value == pytest.approx(math.sqrt(172.5 * 76.4 / 3600))


@pytest.mark.parametrize(
    ("height_cm", "weight_kg", "reason"),
    [
        (None, None, "the patient's height and weight are not given"),
        (None, 70, "the patient's height is not given"),
        (170, None, "the patient's weight is not given"),
        (1.7, 70, "the patient's height of 1.7 cm is not between 30 and 250"),
        (170, 70_000, "the patient's weight of 70000 kg is not between 1 and 400"),
        (math.nan, 70, "the patient's height is not a number"),
    ],
)
def test_reasons(height_cm: float | None, weight_kg: float | None, reason: str) -> None:
    assert body_surface_m2(height_cm, weight_kg) == Measurement(None, reason)


def test_measures_that_grow_with_the_body_are_indexed() -> None:
    measures = {name: Measurement(100.0) for name in MEASURES}
    assert index_measures(measures, Measurement(2.0)) == dict.fromkeys(INDEXED, Measurement(50.0))
    assert not any("percent" in name for name in INDEXED)


def test_a_measure_without_a_value_keeps_its_own_reason() -> None:
    measures = dict.fromkeys(MEASURES, Measurement(None, "LV is absent"))
    for surface in (Measurement(2.0), Measurement(None, "no height")):
        assert set(index_measures(measures, surface).values()) == {Measurement(None, "LV is absent")}


def test_titles() -> None:
    assert title_of("lv_ef_percent") == "LV EF, %"
    assert title_of("lv_edv_ml_per_m2") == "LV EDV index, ml/m2"
    assert title_of("myocardial_mass_g_per_m2") == "myocardial mass index, g/m2"
