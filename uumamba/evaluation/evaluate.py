"""From folders of predictions and references to an evaluation."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.progress import track
from uumamba.data.case import Case
from uumamba.evaluation.case_facts import add_table, facts_of
from uumamba.evaluation.clinical import ClinicalAgreement, ClinicalRow, clinical_agreement, clinical_table, phase_pairs
from uumamba.evaluation.confidence import ConfidenceSummary, summarise_confidence
from uumamba.evaluation.confidence_reading import Confidences, confidence_rows, read_confidences
from uumamba.evaluation.groups import Columns, GroupSummary, group_columns, summarise_groups
from uumamba.evaluation.label_match import LabelMatch
from uumamba.evaluation.pairing import CasePair, pair_predictions
from uumamba.evaluation.scoring import StructureScore, Tolerance, score_case
from uumamba.evaluation.summary import Summary, summarise
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM


@dataclass(frozen=True)
class Evaluation:
    """All tables of one evaluation.

    `pairs` are the compared files. `failures` maps a failed case to its reason; `extra` are predictions without a
    reference, which are not scored. `patients` maps the scored cases to their patients, as far as these are known.
    `columns` say which case is in which group; `columns_without_groups` have too many values. `clinical` and
    `agreements` are empty unless cases with phases were given. `confidences` are what the predictions' `cases.csv`
    expects; `confidence_reason` says why there are none.
    """

    labels: LabelMatch
    pairs: tuple[CasePair, ...]
    scores: tuple[StructureScore, ...]
    summary: Summary
    failures: Mapping[str, str]
    extra: tuple[Path, ...]
    patients: Mapping[str, str]
    columns: Columns
    columns_without_groups: tuple[str, ...]
    groups: tuple[GroupSummary, ...]
    clinical: tuple[ClinicalRow, ...]
    agreements: tuple[ClinicalAgreement, ...]
    confidences: Confidences
    confidence: tuple[ConfidenceSummary, ...]
    confidence_reason: str | None
    nsd_tolerance_mm: Tolerance


def evaluate_folders(
    predictions: Path,
    references: Path,
    labels: LabelMatch,
    *,
    cases: Iterable[Case] = (),
    only: Collection[str] | None = None,
    groups: Path | None = None,
    nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM,
) -> Evaluation:
    """Score every reference below one folder against its prediction below another; `pairing` says how they match.

    `cases` tell which case is which patient at which phase, as a data set's index gives them, and `groups` is a table
    that tells more (`case_facts`); with phases the heart's function is measured. `only` limits the evaluation to cases
    of these names, for instance a fold's. Raises `InputError` where there is nothing to compare; a broken file is a
    failed case, and the others are scored.
    """
    cases = tuple(cases)
    pairing = pair_predictions(predictions, references, only=only, cases=cases)
    names = [pair.name for pair in pairing.pairs]
    facts = facts_of(cases, names) if groups is None else add_table(facts_of(cases, names), groups)
    patients = {each.name: each.patient for each in facts if each.patient is not None}
    phases = phase_pairs(Case(each.name, each.patient, (), None, dict(each.details)) for each in facts if each.patient)
    columns, without_groups = group_columns(facts, names)
    confidences, reason = read_confidences(predictions, pairing.pairs, labels.structures)
    scores = evaluate_cases(pairing.pairs, labels, nsd_tolerance_mm=nsd_tolerance_mm)
    clinical = clinical_table(scores, phases)
    confidence = summarise_confidence(confidence_rows(scores, confidences))
    return Evaluation(
        labels,
        pairing.pairs,
        scores,
        summarise(scores, patients),
        failures={score.case: str(score.reason) for score in scores if score.outcome == "failed"},
        extra=pairing.extra,
        patients=patients,
        columns=columns,
        columns_without_groups=without_groups,
        groups=summarise_groups(scores, columns, patients),
        clinical=clinical,
        agreements=clinical_agreement(clinical),
        confidences=confidences,
        confidence=confidence,
        confidence_reason=None if confidence else reason or "no structure has both a confidence and a Dice",
        nsd_tolerance_mm=nsd_tolerance_mm,
    )


def evaluate_cases(
    pairs: Sequence[CasePair], labels: LabelMatch, *, nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM
) -> tuple[StructureScore, ...]:
    """Score case after case, two label maps in memory at a time, with progress on the error stream."""
    scores: list[StructureScore] = []
    for pair in track(pairs, "evaluate", total=len(pairs)):
        scores += score_case(pair, labels, nsd_tolerance_mm=nsd_tolerance_mm)
    return tuple(scores)
