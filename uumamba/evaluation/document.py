"""An evaluation as one JSON document, `evaluation.json`, with a versioned schema: `docs/evaluation.md` has its fields.

A value that does not exist is null, and the reason stands beside it. A field is never renamed or given another meaning
without a new `schema_version`; new fields may be added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uumamba.core.files import write_json
from uumamba.core.statistics import mean_of_known
from uumamba.core.versions import installed_versions
from uumamba.evaluation.confidence import FAILURE_DICE
from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.output_folder import DOCUMENT, SCHEMA, SCHEMA_VERSION
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.quantities import QUANTITIES, quantities_for
from uumamba.evaluation.resampling import describe_method
from uumamba.evaluation.scoring import StructureScore
from uumamba.evaluation.table import NOTE
from uumamba.measures import MEASURES

_NO_CLINICAL = "no case with a known patient and a phase ED or ES"


@dataclass(frozen=True)
class Origin:
    """Where an evaluation comes from, as it was asked for, and the `time` (ISO 8601) when that was."""

    predictions: Path
    references: Path
    dataset: str | None = None
    label_file: Path | None = None
    groups: Path | None = None
    time: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture of an evaluation: its `kind`, and for an overlay whose it is and its `rank`, such as "worst"."""

    path: Path
    kind: str
    case: str | None = None
    rank: str | None = None


def write_document(evaluation: Evaluation, folder: Path, origin: Origin, pictures: Iterable[Picture]) -> Path:
    """Write the document into `folder` and return its path."""
    path = folder / DOCUMENT
    write_json(path, document(evaluation, origin, pictures))
    return path


def document(evaluation: Evaluation, origin: Origin, pictures: Iterable[Picture]) -> dict[str, Any]:
    """The document's content, ready for JSON."""
    tolerance = evaluation.nsd_tolerance_mm
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "note": NOTE,
        "program": {"name": "uumamba", "version": installed_versions().get("uumamba")},
        "origin": {name: None if value is None else str(value) for name, value in vars(origin).items()},
        "structures": _structures(evaluation),
        "not_compared": {
            "predictions": list(evaluation.labels.only_in_predictions),
            "references": list(evaluation.labels.only_in_references),
        },
        "nsd_tolerance_mm": tolerance if isinstance(tolerance, float | int) else dict(tolerance),
        "metrics": {name: {"title": each.title, "best": each.best} for name, each in QUANTITIES.items()},
        "interval": describe_method(),
        "cases": _cases(evaluation),
        "failed": dict(evaluation.failures),
        "predictions_without_reference": [str(path) for path in evaluation.extra],
        "summary": asdict(evaluation.summary),
        "groups": [{"column": each.column, "group": each.group, **asdict(each.summary)} for each in evaluation.groups],
        "clinical": _clinical(evaluation),
        "confidence": {
            "failed_below": FAILURE_DICE,
            "reason": evaluation.confidence_reason,
            "structures": [asdict(each) for each in evaluation.confidence],
        },
        "pictures": [
            {"file": each.path.name, "kind": each.kind, "case": each.case, "rank": each.rank} for each in pictures
        ],
    }


def _structures(evaluation: Evaluation) -> list[dict[str, Any]]:
    labels = evaluation.labels
    return [
        {
            "name": name,
            "prediction_numbers": list(labels.predictions[name]),
            "reference_numbers": list(labels.references[name]),
            "optional": name in labels.optional,
            "tubular": name in labels.tubular,
        }
        for name in labels.structures
    ]


def _cases(evaluation: Evaluation) -> list[dict[str, Any]]:
    by_case: dict[str, list[StructureScore]] = {}
    for score in evaluation.scores:
        by_case.setdefault(score.case, []).append(score)
    return [_case(evaluation, pair, by_case[pair.name]) for pair in evaluation.pairs]


def _case(evaluation: Evaluation, pair: CasePair, scores: Sequence[StructureScore]) -> dict[str, Any]:
    return {
        "case": pair.name,
        "patient": evaluation.patients.get(pair.name),
        "status": "failed" if pair.name in evaluation.failures else "scored",
        "reason": evaluation.failures.get(pair.name),
        "groups": {column: group_of[pair.name] for column, group_of in evaluation.columns.items()},
        "prediction": None if pair.prediction is None else str(pair.prediction),
        "reference": str(pair.reference),
        "image": None if pair.image is None else str(pair.image),
        "mean_dice": mean_of_known(score.metrics["dice"] for score in scores),
        "scores": {score.structure: _score(evaluation, score) for score in scores},
    }


def _score(evaluation: Evaluation, score: StructureScore) -> dict[str, Any]:
    return {
        "outcome": score.outcome,
        "reason": score.reason,
        "metrics": {name: quantity.value(score) for name, quantity in quantities_for(tubular=score.tubular).items()},
        "prediction_ml": score.prediction_ml,
        "reference_ml": score.reference_ml,
        **(_components(score) if score.tubular else {}),
        "confidence": evaluation.confidences.get((score.case, score.structure)),
    }


def _components(score: StructureScore) -> dict[str, Any]:
    return {
        "prediction_components": score.prediction_components,
        "reference_components": score.reference_components,
    }


def _clinical(evaluation: Evaluation) -> dict[str, Any]:
    patients: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in evaluation.clinical:
        patients.setdefault(row.patient, {})[row.measure] = {
            "prediction": row.prediction.value,
            "reference": row.reference.value,
            "difference": row.difference,
            "reason": row.reason,
        }
    return {
        "reason": None if evaluation.clinical else _NO_CLINICAL,
        "measures": [
            {
                "measure": each.measure,
                "title": MEASURES[each.measure].title,
                **asdict(each.agreement),
                "unmeasured": dict(each.unmeasured),
            }
            for each in evaluation.agreements
        ],
        "patients": patients,
    }
