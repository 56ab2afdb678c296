"""Whether the Dice that a model expected of itself is the Dice that it has.

`uumamba infer` writes into `cases.csv`, beside its label maps, a column `confidence_<structure>` for each structure:
the Dice that it expects, in [0, 1]; empty where the structure is not in the label map.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from uumamba.core.errors import InputError
from uumamba.evaluation.confidence import FAILURE_DICE
from uumamba.evaluation.pairing import CasePair
from uumamba.evaluation.scoring import StructureScore
from uumamba.imaging.files import image_stem
from uumamba.metrics.ranking import auroc, spearman

TABLE = "cases.csv"
COLUMN = "confidence_"
POOLED = "all structures"

Confidences = Mapping[tuple[str, str], float]
"""(case, structure) -> expected Dice."""


@dataclass(frozen=True)
class ConfidenceSummary:
    """Expected against true Dice over the `n` cases of a structure that have both; None where there is no number.

    `bias` is the mean of expected - true, above 0 if the model thinks too well of itself. `spearman` is the rank
    correlation of both; `auroc` the probability that a failure (one of `failures`, Dice below 0.7) has a lower
    confidence than a success. Each None has its reason.
    """

    structure: str
    n: int
    mean_confidence: float | None
    mean_dice: float | None
    bias: float | None
    mean_absolute_error: float | None
    spearman: float | None
    spearman_reason: str | None
    failures: int
    auroc: float | None
    auroc_reason: str | None


def read_confidences(
    predictions: Path, pairs: Sequence[CasePair], structures: Sequence[str]
) -> tuple[Confidences, str | None]:
    """The expected Dice of the paired predictions from their folder's `cases.csv`, or none and the reason.

    Raises `InputError` if the table holds something else than numbers in [0, 1].
    """
    table = predictions / TABLE
    if not table.is_file():
        return {}, f"no {TABLE} beside the predictions"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read as a CSV table ({error}); predict again, or remove it") from None
    columns = [name for name in structures if f"{COLUMN}{name}" in (reader.fieldnames or ())]
    if not columns:
        return {}, f"{TABLE} beside the predictions has no column {COLUMN}{structures[0]}"
    # A series has one confidence, that of its worst frame, which says nothing of a single one.
    of_volumes = [pair for pair in pairs if pair.frame is None]
    case_of = {image_stem(pair.prediction): pair.name for pair in of_volumes if pair.prediction is not None}
    found = {
        (case_of[row["case"]], name): _confidence(table, line, f"{COLUMN}{name}", row[f"{COLUMN}{name}"])
        for line, row in rows
        if row.get("case") in case_of
        for name in columns
        if row[f"{COLUMN}{name}"]
    }
    return found, None if found else f"{TABLE} beside the predictions has no confidence of these cases"


def summarise_confidence(scores: Sequence[StructureScore], confidences: Confidences) -> tuple[ConfidenceSummary, ...]:
    """A row per structure that has pairs, and last, if there are several, one of all pairs; empty without any."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for score in scores:
        expected, true = confidences.get((score.case, score.structure)), score.metrics["dice"]
        if expected is not None and true is not None:
            pairs.setdefault(score.structure, []).append((expected, true))
    rows = [_summarise(name, of_it) for name, of_it in pairs.items()]
    if len(rows) > 1:
        rows.append(_summarise(POOLED, [pair for of_it in pairs.values() for pair in of_it]))
    return tuple(rows)


def _summarise(structure: str, pairs: Sequence[tuple[float, float]]) -> ConfidenceSummary:
    expected, true = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    failed = [dice < FAILURE_DICE for dice in true]
    correlation, area = spearman(expected, true), auroc([-value for value in expected], failed)
    return ConfidenceSummary(
        structure,
        n=len(pairs),
        mean_confidence=fmean(expected),
        mean_dice=fmean(true),
        bias=fmean(one - other for one, other in pairs),
        mean_absolute_error=fmean(abs(one - other) for one, other in pairs),
        spearman=correlation.value,
        spearman_reason=correlation.reason,
        failures=sum(failed),
        auroc=area.value,
        auroc_reason=area.reason,
    )


def _confidence(table: Path, line: int, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{table}: line {line}: {column}: must be empty or in [0, 1], got {text!r}; predict again")
    return value
