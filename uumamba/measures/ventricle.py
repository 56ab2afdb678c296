"""Function of the heart from the volumes of its chambers at end-diastole (ED) and end-systole (ES).

A phase is a mapping of structure name -> volume in ml as a `Measurement`, as `measures.volume.structure_volumes` gives it;
the names read here are ACDC's: LV and RV (cavities) and MYO (myocardium of the left ventricle). EDV and ESV are the
volumes at ED and ES, stroke volume SV = EDV - ESV, ejection fraction EF = 100 SV / EDV, and myocardial mass is the
myocardium's volume at ED times its density.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

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
    """100 (EDV - ESV) / EDV in percent, at most 100; negative where the volume grows; None where EDV is not positive."""
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

    function: Callable[[Phase, Phase], Measurement]
    title: str


def _at_end_diastole(structure: str, end_diastole: Phase, end_systole: Phase) -> Measurement:
    del end_systole
    return volume_of(end_diastole, structure)


def _at_end_systole(structure: str, end_diastole: Phase, end_systole: Phase) -> Measurement:
    del end_diastole
    return volume_of(end_systole, structure)


def _stroke_volume(structure: str, end_diastole: Phase, end_systole: Phase) -> Measurement:
    return stroke_volume_ml(volume_of(end_diastole, structure), volume_of(end_systole, structure))


def _ejection_fraction(structure: str, end_diastole: Phase, end_systole: Phase) -> Measurement:
    return ejection_fraction_percent(volume_of(end_diastole, structure), volume_of(end_systole, structure))


def _mass_at_end_diastole(end_diastole: Phase, end_systole: Phase) -> Measurement:
    del end_systole
    return myocardial_mass_g(volume_of(end_diastole, "MYO"))


MEASURES: dict[str, Measure] = {
    "lv_edv_ml": Measure(partial(_at_end_diastole, "LV"), "LV EDV, ml"),
    "lv_esv_ml": Measure(partial(_at_end_systole, "LV"), "LV ESV, ml"),
    "lv_sv_ml": Measure(partial(_stroke_volume, "LV"), "LV SV, ml"),
    "lv_ef_percent": Measure(partial(_ejection_fraction, "LV"), "LV EF, %"),
    "rv_edv_ml": Measure(partial(_at_end_diastole, "RV"), "RV EDV, ml"),
    "rv_esv_ml": Measure(partial(_at_end_systole, "RV"), "RV ESV, ml"),
    "rv_sv_ml": Measure(partial(_stroke_volume, "RV"), "RV SV, ml"),
    "rv_ef_percent": Measure(partial(_ejection_fraction, "RV"), "RV EF, %"),
    "myocardial_mass_g": Measure(_mass_at_end_diastole, "myocardial mass, g"),
}


def measure_heart(end_diastole: Phase, end_systole: Phase) -> dict[str, Measurement]:
    """Every measure of `MEASURES` by name, from the volumes at ED and ES; each a number, or None with a reason."""
    return {name: measure.function(end_diastole, end_systole) for name, measure in MEASURES.items()}
