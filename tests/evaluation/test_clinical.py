"""The clinical table: the right cases in the right phase, and a reason wherever a number is missing."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.evaluation.clinical import ClinicalRow, PhasePair, clinical_agreement, clinical_table, phase_pairs
from uumamba.evaluation.scoring import StructureScore
from uumamba.measures import MEASURES
from uumamba.metrics import METRICS


def case(name: str, patient: str, phase: str | None) -> Case:
    details: dict[str, str | float | int | None] = {"phase": phase} if phase else {}
    return Case(name=name, patient=patient, images=(Path(f"{name}.nii.gz"),), label_map=None, details=details)


def scores_of(case: str, predicted: dict[str, float | None], true: dict[str, float]) -> list[StructureScore]:
    return [
        StructureScore(
            case,
            structure,
            "found" if predicted[structure] is not None else "failed",
            dict.fromkeys(METRICS),
            predicted[structure],
            true[structure],
            100.0,
            None if predicted[structure] is not None else "no prediction",
        )
        for structure in true
    ]


TRUE_ED = {"RV": 160.0, "MYO": 100.0, "LV": 150.0}
TRUE_ES = {"RV": 80.0, "MYO": 98.0, "LV": 60.0}


def rows_by_measure(rows: tuple[ClinicalRow, ...], patient: str = "p") -> dict[str, ClinicalRow]:
    found = {row.measure: row for row in rows if row.patient == patient}
    assert found.keys() == MEASURES.keys()
    return found


def test_pairs_phases_whatever_the_order() -> None:
    cases = [case("b4", "b", "ED"), case("a1", "a", "ES"), case("b1", "b", "ES"), case("x", "x", None)]
    assert phase_pairs(cases) == (PhasePair("a", None, "a1"), PhasePair("b", "b4", "b1"))


def test_two_cases_of_one_phase() -> None:
    with pytest.raises(InputError, match="p: p1 and p2 are both ED; a patient has one case per phase"):
        phase_pairs([case("p1", "p", "ED"), case("p2", "p", "ED")])


def test_table_of_one_patient() -> None:
    predicted_ed: dict[str, float | None] = {"RV": 150.0, "MYO": 110.0, "LV": 160.0}
    scores = scores_of("p_ed", predicted_ed, TRUE_ED) + scores_of("p_es", dict(TRUE_ES), TRUE_ES)
    rows = rows_by_measure(clinical_table(scores, [PhasePair("p", "p_ed", "p_es"), PhasePair("q", "q_ed", "q_es")]))
    assert rows["lv_edv_ml"].difference == pytest.approx(10)
    assert rows["lv_esv_ml"].difference == pytest.approx(0)
    assert rows["lv_ef_percent"].reference.value == pytest.approx(60)
    assert rows["lv_ef_percent"].prediction.value == pytest.approx(62.5)
    assert rows["rv_ef_percent"].prediction.value == pytest.approx(100 * 70 / 150)
    assert rows["myocardial_mass_g"].difference == pytest.approx(10.5)
    assert all(row.reason is None for row in rows.values())


def test_reasons_of_missing_numbers() -> None:
    missing: dict[str, float | None] = dict.fromkeys(TRUE_ES)
    no_lv: dict[str, float | None] = {**TRUE_ED, "LV": 0.0}
    scores = scores_of("p_ed", no_lv, TRUE_ED) + scores_of("p_es", missing, TRUE_ES)
    rows = rows_by_measure(clinical_table(scores, [PhasePair("p", "p_ed", "p_es")]))
    assert rows["lv_edv_ml"].reason == "prediction: LV is absent"
    assert rows["lv_esv_ml"].reason == "prediction: no prediction"
    assert rows["lv_ef_percent"].reason == "prediction: at ED LV is absent"
    assert rows["rv_ef_percent"].reason == "prediction: at ES no prediction"
    assert rows["rv_ef_percent"].reference.value == pytest.approx(50)
    assert rows["rv_ef_percent"].difference is None
    assert rows["rv_edv_ml"].difference == 0.0


def test_a_patient_with_one_phase_evaluated() -> None:
    rows = rows_by_measure(clinical_table(scores_of("p_ed", dict(TRUE_ED), TRUE_ED), [PhasePair("p", "p_ed", "p_es")]))
    assert rows["lv_edv_ml"].difference == 0.0
    reason = "no case of this phase was evaluated"
    assert rows["lv_ef_percent"].reason == f"prediction: at ES {reason}; reference: at ES {reason}"


def test_agreement_over_patients_names_the_unmeasured() -> None:
    scores: list[StructureScore] = []
    pairs = []
    for index, patient in enumerate("abcd"):
        bigger = {name: volume + 10 * index for name, volume in TRUE_ED.items()}
        predicted: dict[str, float | None] = dict.fromkeys(bigger) if patient == "d" else dict(bigger)
        scores += scores_of(f"{patient}_ed", predicted, bigger) + scores_of(f"{patient}_es", dict(TRUE_ES), TRUE_ES)
        pairs.append(PhasePair(patient, f"{patient}_ed", f"{patient}_es"))
    table = {each.measure: each for each in clinical_agreement(clinical_table(scores, pairs))}
    assert table.keys() == MEASURES.keys()
    edv = table["lv_edv_ml"]
    assert (edv.agreement.n, edv.agreement.bias) == (3, 0.0)
    assert edv.agreement.pearson == pytest.approx(1.0)
    assert edv.unmeasured == {"d": "prediction: no prediction"}
    assert table["lv_esv_ml"].agreement.pearson_reason == "does not vary between patients"
