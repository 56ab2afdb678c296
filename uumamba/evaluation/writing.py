"""An evaluation as tables: `scores.csv`, and where there are groups and phases `groups.csv` and `clinical.csv`.

In CSV a value that does not exist is an empty cell; the reason stands beside it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from uumamba.evaluation.clinical import ClinicalRow
from uumamba.evaluation.confidence_reading import Confidences
from uumamba.evaluation.evaluate import Evaluation
from uumamba.evaluation.groups import GroupSummary
from uumamba.evaluation.output_folder import SCORES
from uumamba.evaluation.scoring import StructureScore
from uumamba.evaluation.table import Cell, write_csv
from uumamba.metrics import metrics_for

_COMPONENTS = ("prediction_components", "reference_components")
GROUP_COLUMNS = (
    "column",
    "group",
    "structure",
    "cases",
    "failed",
    "metric",
    "n",
    "patients",
    "mean",
    "sd",
    "median",
    "low",
    "high",
    "mean_with_failures",
    "reason",
)
CLINICAL_COLUMNS = ("patient", "measure", "prediction", "reference", "difference", "reason")


def write_tables(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write every table of an evaluation into `folder`, made if need be, and return the files' paths."""
    written = [folder / SCORES]
    columns = case_columns(tubular=any(score.tubular for score in evaluation.scores))
    rows = (_case_cells(score, evaluation.confidences, columns) for score in evaluation.scores)
    write_csv(written[0], columns, rows)
    if evaluation.groups:
        written.append(folder / "groups.csv")
        write_csv(written[-1], GROUP_COLUMNS, (row for each in evaluation.groups for row in _group_rows(each)))
    if evaluation.clinical:
        written.append(folder / "clinical.csv")
        write_csv(written[-1], CLINICAL_COLUMNS, (_clinical_cells(row) for row in evaluation.clinical))
    return tuple(written)


def case_columns(*, tubular: bool) -> tuple[str, ...]:
    """The columns of `scores.csv`; where a structure is a thin vessel, those for vessels too, empty for the others."""
    return (
        "case",
        "structure",
        "outcome",
        *metrics_for(tubular=tubular),
        *(_COMPONENTS if tubular else ()),
        "prediction_ml",
        "reference_ml",
        "volume_error_ml",
        "volume_error_percent",
        "confidence",
        "image_diagonal_mm",
        "reason",
    )


def _case_cells(score: StructureScore, confidences: Confidences, columns: Sequence[str]) -> list[Cell]:
    cells: dict[str, Cell] = {
        **score.metrics,
        "confidence": confidences.get((score.case, score.structure)),
    }
    return [cells[name] if name in cells else getattr(score, name, None) for name in columns]


def _group_rows(each: GroupSummary) -> Iterator[list[Cell]]:
    summary = each.summary
    for metric, found in summary.metrics.items():
        yield [
            each.column,
            each.group,
            summary.structure,
            summary.cases,
            summary.failed,
            metric,
            found.n,
            found.patients,
            found.mean,
            found.sd,
            found.median,
            found.interval.low,
            found.interval.high,
            found.mean_with_failures,
            found.interval.reason,
        ]


def _clinical_cells(row: ClinicalRow) -> list[Cell]:
    return [row.patient, row.measure, row.prediction.value, row.reference.value, row.difference, row.reason]
