"""The Dice that a model expected of its predictions, beside the Dice that they have.

`uumamba infer` writes into `cases.csv`, beside its label maps, a column `confidence_<structure>` for each structure:
the Dice that it expects, in [0, 1]; empty where the structure is not in the label map.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from uumamba.core.csv_rows import read_csv
from uumamba.core.errors import InputError
from uumamba.evaluation.confidence import ConfidenceRow
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import StructureScore
from uumamba.imaging.files import image_stem

TABLE = "cases.csv"
COLUMN = "confidence_"

Confidences = Mapping[tuple[str, str], float]
"""(case, structure) -> expected Dice."""


def read_confidences(
    predictions: Path, pairs: Sequence[CasePair], structures: Sequence[str]
) -> tuple[Confidences, str | None]:
    """The expected Dice of the paired predictions from their folder's `cases.csv`, or none and the reason.

    Raises `InputError` if the table holds something else than numbers in [0, 1].
    """
    table = predictions / TABLE
    if not table.is_file():
        return {}, f"no {TABLE} beside the predictions"
    read = read_csv(table)
    columns = [name for name in structures if f"{COLUMN}{name}" in read.columns]
    if not columns:
        return {}, f"{TABLE} beside the predictions has no column {COLUMN}{structures[0]}"
    # A series has one confidence, that of its worst frame, which says nothing of a single one.
    of_volumes = [pair for pair in pairs if pair.frame is None]
    case_of = {image_stem(pair.prediction): pair.name for pair in of_volumes if pair.prediction is not None}
    found = {
        (case_of[row["case"]], name): _confidence(table, line, f"{COLUMN}{name}", row[f"{COLUMN}{name}"])
        for line, row in read.rows
        if row.get("case") in case_of
        for name in columns
        if row[f"{COLUMN}{name}"]
    }
    return found, None if found else f"{TABLE} beside the predictions has no confidence of these cases"


def confidence_rows(scores: Sequence[StructureScore], confidences: Confidences) -> tuple[ConfidenceRow, ...]:
    """The scores of the structures that have both an expected and a true Dice in any case; none without any."""
    rows = [
        ConfidenceRow(
            score.case, score.structure, confidences.get((score.case, score.structure)), score.metrics["dice"]
        )
        for score in scores
    ]
    known = {row.structure for row in rows if row.pair is not None}
    return tuple(row for row in rows if row.structure in known)


def _confidence(table: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{table}: line {line}: {column}: must be empty or in [0, 1], got {text!r}; predict again")
    return value
