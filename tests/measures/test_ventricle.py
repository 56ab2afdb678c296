"""Function of the heart: the formulas, their laws, and a reason wherever there is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.measures import MEASURES, Measurement, measure_heart
from uumamba.measures.ventricle import ejection_fraction_percent, myocardial_mass_g, stroke_volume_ml

volumes = st.floats(1, 1000).map(Measurement)
ED = {"LV": Measurement(150.0), "RV": Measurement(160.0), "MYO": Measurement(100.0)}
ES = {"LV": Measurement(60.0), "RV": Measurement(80.0), "MYO": Measurement(98.0)}


def test_every_measure_of_a_healthy_heart() -> None:
    values = {name: measurement.value for name, measurement in measure_heart(ED, ES).items()}
    assert values == pytest.approx(
        {
            "lv_edv_ml": 150,
            "lv_esv_ml": 60,
            "lv_sv_ml": 90,
            "lv_ef_percent": 60,
            "rv_edv_ml": 160,
            "rv_esv_ml": 80,
            "rv_sv_ml": 80,
            "rv_ef_percent": 50,
            "myocardial_mass_g": 105,
        }
    )
    assert values.keys() == MEASURES.keys()


@pytest.mark.parametrize("name", MEASURES)
def test_each_is_a_number_or_null_with_a_reason(name: str) -> None:
    for ed, es in [(ED, ES), ({}, {}), ({"LV": Measurement(None, "LV is absent")}, ES)]:
        measurement = measure_heart(ed, es)[name]
        assert (measurement.value is None) == bool(measurement.reason)


@given(volumes, volumes)
def test_ejection_fraction_is_at_most_100_and_negative_if_the_volume_grows(ed: Measurement, es: Measurement) -> None:
    fraction = ejection_fraction_percent(ed, es).value
    assert fraction is not None
    assert fraction < 100
    assert ed.value is not None
    assert es.value is not None
    assert (fraction < 0) == (es.value > ed.value)
    assert fraction * ed.value / 100 == pytest.approx(stroke_volume_ml(ed, es).value, abs=1e-9)


def test_reasons() -> None:
    absent = Measurement(None, "LV is absent")
    assert ejection_fraction_percent(absent, ES["LV"]) == Measurement(None, "at ED LV is absent")
    assert ejection_fraction_percent(ED["LV"], absent) == Measurement(None, "at ES LV is absent")
    assert stroke_volume_ml(absent, absent) == Measurement(None, "at ED LV is absent")
    assert ejection_fraction_percent(Measurement(0.0), ES["LV"]) == Measurement(None, "the volume at ED is 0 ml")
    assert myocardial_mass_g(Measurement(None, "MYO is absent")).reason == "MYO is absent"
    assert measure_heart({}, ES)["lv_edv_ml"] == Measurement(None, "the labels have no LV")
