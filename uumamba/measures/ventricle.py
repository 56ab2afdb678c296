"""Function of the heart from the volumes of its chambers at end-diastole (ED) and end-systole (ES).

A phase maps a structure's name to its volume in ml, as `measures.volume.structure_volumes` gives it; the names read
here are ACDC's: LV and RV (cavities) and MYO (myocardium of the left ventricle). EDV and ESV are the volumes at ED and
ES, stroke volume SV = EDV - ESV, ejection fraction EF = 100 SV / EDV, and myocardial mass is the myocardium's volume at
ED times its density.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uumamba.measures.measurement import Measurement

MYOCARDIAL_DENSITY_G_PER_ML = 1.05
Phase = Mapping[str, Measurement]


def volume_of(phase: Phase, structure: str) -> Measurement:
    """Volume of one structure in ml; None with the reason if the label set does not have it."""
    return phase.get(structure, Measurement(None, f"the labels have no {structure}"))


def stroke_volume_ml(end_diastolic: Measurement, end_systolic: Measurement) -> Measurement:
    """EDV - ESV in ml; negative where the volume grows (phases swapped, or a wrong segmentation)."""
    if end_diastolic.value is None:
        return Measurement(None, f"at ED {end_diastolic.reason}")
    if end_systolic.value is None:
        return Measurement(None, f"at ES {end_systolic.reason}")
    return Measurement(end_diastolic.value - end_systolic.value)


def ejection_fraction_percent(end_diastolic: Measurement, end_systolic: Measurement) -> Measurement:
    """100 (EDV - ESV) / EDV in percent, at most 100, negative if the volume grows; None unless EDV is positive."""
    if end_diastolic.value is not None and end_diastolic.value <= 0:
        return Measurement(None, f"the volume at ED is {end_diastolic.value:g} ml")
    stroke = stroke_volume_ml(end_diastolic, end_systolic)
    if stroke.value is None or end_diastolic.value is None:
        return stroke
    return Measurement(100 * stroke.value / end_diastolic.value)


def myocardial_mass_g(volume: Measurement) -> Measurement:
    """Mass in g of a volume of myocardium in ml, at 1.05 g/ml."""
    if volume.value is None:
        return volume
    return Measurement(volume.value * MYOCARDIAL_DENSITY_G_PER_ML)


@dataclass(frozen=True)
class Measure:
    """One clinical measure: `function(phase at ED, phase at ES) -> Measurement`; `title` names it, with its unit."""

    title: str
    function: Callable[[Phase, Phase], Measurement]


MEASURES: dict[str, Measure] = {
    "lv_edv_ml": Measure("LV EDV, ml", lambda ed, _: volume_of(ed, "LV")),
    "lv_esv_ml": Measure("LV ESV, ml", lambda _, es: volume_of(es, "LV")),
    "lv_sv_ml": Measure("LV SV, ml", lambda ed, es: stroke_volume_ml(volume_of(ed, "LV"), volume_of(es, "LV"))),
    "lv_ef_percent": Measure(
        "LV EF, %", lambda ed, es: ejection_fraction_percent(volume_of(ed, "LV"), volume_of(es, "LV"))
    ),
    "rv_edv_ml": Measure("RV EDV, ml", lambda ed, _: volume_of(ed, "RV")),
    "rv_esv_ml": Measure("RV ESV, ml", lambda _, es: volume_of(es, "RV")),
    "rv_sv_ml": Measure("RV SV, ml", lambda ed, es: stroke_volume_ml(volume_of(ed, "RV"), volume_of(es, "RV"))),
    "rv_ef_percent": Measure(
        "RV EF, %", lambda ed, es: ejection_fraction_percent(volume_of(ed, "RV"), volume_of(es, "RV"))
    ),
    "myocardial_mass_g": Measure("myocardial mass, g", lambda ed, _: myocardial_mass_g(volume_of(ed, "MYO"))),
}


def measure_heart(end_diastole: Phase, end_systole: Phase) -> dict[str, Measurement]:
    """Every measure of `MEASURES` by name, from the volumes at ED and ES; each a number, or None with a reason."""
    return {name: measure.function(end_diastole, end_systole) for name, measure in MEASURES.items()}
