"""An evaluation as files: `scores.csv`, `summary.json`, and with phases `clinical.csv` and `clinical.json`.

In CSV a value that does not exist is an empty cell, in JSON null; the reason stands beside it.
"""

from dataclasses import asdict
from pathlib import Path

from uumamba.core.files import write_json
from uumamba.evaluation.clinical import ClinicalRow
from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.scoring import StructureScore
from uumamba.evaluation.table import NOTE, Cell, write_csv
from uumamba.metrics import METRICS

CASE_COLUMNS = (
    "case",
    "structure",
    "outcome",
    *METRICS,
    "prediction_ml",
    "reference_ml",
    "difference_ml",
    "image_diagonal_mm",
    "reason",
)
CLINICAL_COLUMNS = ("patient", "measure", "prediction", "reference", "difference", "reason")


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write every table of an evaluation into `folder`, made if need be, and return the files' paths."""
    written = [folder / "scores.csv", folder / "summary.json"]
    write_csv(written[0], CASE_COLUMNS, (_case_cells(score) for score in evaluation.scores))
    write_json(written[1], _summary_content(evaluation))
    if evaluation.clinical:
        written += [folder / "clinical.csv", folder / "clinical.json"]
        write_csv(written[2], CLINICAL_COLUMNS, (_clinical_cells(row) for row in evaluation.clinical))
        write_json(written[3], {"note": NOTE, "measures": [asdict(each) for each in evaluation.agreements]})
    return tuple(written)


def _summary_content(evaluation: Evaluation) -> dict[str, object]:
    tolerance = evaluation.nsd_tolerance_mm
    return {
        "note": NOTE,
        "nsd_tolerance_mm": tolerance if isinstance(tolerance, float | int) else dict(tolerance),
        "cases": len({score.case for score in evaluation.scores}),
        "failed": evaluation.failures,
        "patients": dict(evaluation.patients),
        "predictions_without_reference": [str(path) for path in evaluation.extra],
        **asdict(evaluation.summary),
    }


def _case_cells(score: StructureScore) -> list[Cell]:
    return [
        score.case,
        score.structure,
        score.outcome,
        *(score.metrics[name] for name in METRICS),
        score.prediction_ml,
        score.reference_ml,
        score.difference_ml,
        score.image_diagonal_mm,
        score.reason,
    ]


def _clinical_cells(row: ClinicalRow) -> list[Cell]:
    return [row.patient, row.measure, row.prediction.value, row.reference.value, row.difference, row.reason]
