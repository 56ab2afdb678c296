"""The heart's function per patient, predicted and true, and how well the two agree."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.evaluation.agreement import Agreement, agreement
from uumamba.evaluation.scoring import StructureScore
from uumamba.measures import MEASURES, Measurement, measure_heart, volume_measurement


@dataclass(frozen=True)
class PhasePair:
    """The cases that show one patient's heart at end-diastole and end-systole; None where there is none."""

    patient: str
    end_diastole: str | None
    end_systole: str | None


@dataclass(frozen=True)
class ClinicalRow:
    """One measure of one patient (`measure` is a key of `MEASURES`), from the prediction and from the reference."""

    patient: str
    measure: str
    prediction: Measurement
    reference: Measurement

    @property
    def difference(self) -> float | None:
        """Prediction minus reference, in the measure's unit."""
        if self.prediction.value is None or self.reference.value is None:
            return None
        return self.prediction.value - self.reference.value

    @property
    def reason(self) -> str | None:
        """Why there is no difference; None if there is one."""
        named = (("prediction", self.prediction.reason), ("reference", self.reference.reason))
        return "; ".join(f"{name}: {reason}" for name, reason in named if reason) or None


@dataclass(frozen=True)
class ClinicalAgreement:
    """One measure over all patients: its agreement, and the patients without a difference, with the reason."""

    measure: str
    agreement: Agreement
    unmeasured: Mapping[str, str]


def phase_pairs(cases: Iterable[Case]) -> tuple[PhasePair, ...]:
    """Pair each patient's cases by `details["phase"]`, "ED" or "ES"; patients without either are left out.

    Raises `InputError` if two cases of a patient show one phase.
    """
    by_patient: dict[str, dict[str, str]] = {}
    for case in cases:
        phase = case.details.get("phase")
        if phase not in ("ED", "ES"):
            continue
        phases = by_patient.setdefault(case.patient, {})
        if phase in phases:
            raise InputError(
                f"{case.patient}: {phases[phase]} and {case.name} are both {phase}; a patient has one case per phase"
            )
        phases[str(phase)] = case.name
    return tuple(
        PhasePair(patient, phases.get("ED"), phases.get("ES")) for patient, phases in sorted(by_patient.items())
    )


def clinical_table(scores: Sequence[StructureScore], phases: Iterable[PhasePair]) -> tuple[ClinicalRow, ...]:
    """Every measure of every patient of whom at least one case was scored, from the volumes in `scores`."""
    by_case: dict[str, list[StructureScore]] = {}
    for score in scores:
        by_case.setdefault(score.case, []).append(score)
    structures = list(dict.fromkeys(score.structure for score in scores))
    rows: list[ClinicalRow] = []
    for pair in phases:
        if pair.end_diastole not in by_case and pair.end_systole not in by_case:
            continue
        phase_scores = [by_case.get(case) if case else None for case in (pair.end_diastole, pair.end_systole)]
        predicted = measure_heart(*(_predicted_volumes(of_phase, structures) for of_phase in phase_scores))
        true = measure_heart(*(_true_volumes(of_phase, structures) for of_phase in phase_scores))
        rows += [ClinicalRow(pair.patient, measure, predicted[measure], true[measure]) for measure in MEASURES]
    return tuple(rows)


def clinical_agreement(rows: Sequence[ClinicalRow]) -> tuple[ClinicalAgreement, ...]:
    """The agreement of each measure over all patients that have it on both sides."""
    table = []
    for measure in dict.fromkeys(row.measure for row in rows):
        of_it = [row for row in rows if row.measure == measure]
        both = [
            (row.prediction.value, row.reference.value)
            for row in of_it
            if row.prediction.value is not None and row.reference.value is not None
        ]
        unmeasured = {row.patient: row.reason for row in of_it if row.reason is not None}
        table.append(ClinicalAgreement(measure, agreement([p for p, _ in both], [r for _, r in both]), unmeasured))
    return tuple(table)


def _predicted_volumes(scores: Sequence[StructureScore] | None, structures: Sequence[str]) -> dict[str, Measurement]:
    if scores is None:
        return _no_case(structures)
    return {score.structure: _volume(score.prediction_ml, score) for score in scores}


def _true_volumes(scores: Sequence[StructureScore] | None, structures: Sequence[str]) -> dict[str, Measurement]:
    if scores is None:
        return _no_case(structures)
    return {score.structure: _volume(score.reference_ml, score) for score in scores}


def _volume(volume: float | None, score: StructureScore) -> Measurement:
    return Measurement(None, score.reason) if volume is None else volume_measurement(volume, score.structure)


def _no_case(structures: Sequence[str]) -> dict[str, Measurement]:
    return {structure: Measurement(None, "no case of this phase was evaluated") for structure in structures}
