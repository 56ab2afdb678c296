"""From folders of predictions and references to an evaluation."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.labels import LabelSet
from uumamba.core.progress import track
from uumamba.data.case import Case
from uumamba.evaluation.clinical import ClinicalAgreement, ClinicalRow, clinical_agreement, clinical_table, phase_pairs
from uumamba.evaluation.pairing import CasePair, pair_predictions
from uumamba.evaluation.scoring import StructureScore, Tolerance, score_case
from uumamba.evaluation.summary import Summary, summarise
from uumamba.metrics.surface_dice import DEFAULT_TOLERANCE_MM


@dataclass(frozen=True)
class Evaluation:
    """All tables of one evaluation.

    `pairs` are the compared files. `failures` maps a failed case to its reason; `extra` are predictions without a
    reference, which are not scored. `patients` maps the scored cases to their patients, as far as `cases` were given.
    `clinical` and `agreements` are empty unless cases with phases were given.
    """

    pairs: tuple[CasePair, ...]
    scores: tuple[StructureScore, ...]
    summary: Summary
    failures: dict[str, str]
    extra: tuple[Path, ...]
    patients: Mapping[str, str]
    clinical: tuple[ClinicalRow, ...]
    agreements: tuple[ClinicalAgreement, ...]
    nsd_tolerance_mm: Tolerance


def evaluate_folders(
    predictions: Path,
    references: Path,
    labels: LabelSet,
    *,
    cases: Iterable[Case] = (),
    only: Collection[str] | None = None,
    nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM,
) -> Evaluation:
    """Score every reference below one folder against its prediction below another; `pairing` says how they match.

    `cases` tell which case is which patient at which phase, as a data set's index gives them; with them the heart's
    function is measured. `only` limits the evaluation to cases of these names, for instance a fold's. Raises
    `InputError` where there is nothing to compare; a broken file is a failed case, and the others are scored.
    """
    pairing = pair_predictions(predictions, references, only=only)
    scores = evaluate_cases(pairing.pairs, labels, nsd_tolerance_mm=nsd_tolerance_mm)
    known = tuple(cases)
    scored = {pair.name for pair in pairing.pairs}
    rows = clinical_table(scores, phase_pairs(known))
    return Evaluation(
        pairs=pairing.pairs,
        scores=scores,
        summary=summarise(scores),
        failures={score.case: str(score.reason) for score in scores if score.outcome == "failed"},
        extra=pairing.extra,
        patients={case.name: case.patient for case in known if case.name in scored},
        clinical=rows,
        agreements=clinical_agreement(rows),
        nsd_tolerance_mm=nsd_tolerance_mm,
    )


def evaluate_cases(
    pairs: Sequence[CasePair], labels: LabelSet, *, nsd_tolerance_mm: Tolerance = DEFAULT_TOLERANCE_MM
) -> tuple[StructureScore, ...]:
    """Score case after case, two label maps in memory at a time, with progress on the error stream."""
    scores: list[StructureScore] = []
    for pair in track(pairs, "evaluate", total=len(pairs)):
        scores += score_case(pair, labels, nsd_tolerance_mm=nsd_tolerance_mm)
    return tuple(scores)
