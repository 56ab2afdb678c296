"""`evaluation.json`, as far as a page shows it; fields that it does not know are left aside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.settings import first_problem
from uumamba.evaluation.output_folder import require_schema


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Interval(_Part):
    """A 95 % interval of a mean; None where there is none, with the reason."""

    low: float | None = None
    high: float | None = None
    reason: str | None = None


class MetricMean(_Part):
    """One metric over cases, as `evaluation.summary` gives it."""

    mean: float | None = None
    sd: float | None = None
    mean_with_failures: float | None = None
    interval: Interval | None = None


class StructureRow(_Part):
    """One structure: how often each outcome came, and its metrics."""

    structure: str
    cases: int = 0
    missed: int = 0
    false_positives: int = 0
    absent: int = 0
    not_labelled: int = 0
    failed: int = 0
    metrics: Mapping[str, MetricMean]


class GroupRow(StructureRow):
    """One structure over the cases whose `column` says `group`."""

    column: str
    group: str


class Summary(_Part):
    """Per structure, and over all structures by metric."""

    structures: tuple[StructureRow, ...] = ()
    overall: Mapping[str, MetricMean] = Field(default_factory=dict)


class AgreementRow(_Part):
    """One clinical measure over patients, as `evaluation.agreement` gives it, and who is left out, with the reason."""

    measure: str
    n: int
    bias: float | None = None
    sd: float | None = None
    lower: float | None = None
    upper: float | None = None
    mean_absolute_error: float | None = None
    pearson: float | None = None
    pearson_reason: str | None = None
    unmeasured: Mapping[str, str] = Field(default_factory=dict)


class Clinical(_Part):
    """The clinical measures; none with a `reason`."""

    reason: str | None = None
    measures: tuple[AgreementRow, ...] = ()


class ConfidenceRow(_Part):
    """Expected against true Dice of one structure, as `evaluation.confidence` gives it."""

    structure: str
    n: int
    without_mask: int = 0
    mean_confidence: float | None = None
    mean_dice: float | None = None
    bias: float | None = None
    mean_absolute_error: float | None = None
    spearman: float | None = None
    spearman_reason: str | None = None
    failures: int = 0
    auroc: float | None = None
    auroc_reason: str | None = None


class Confidence(_Part):
    """What the model expected of itself; none with a `reason`. A Dice below `failed_below` is a failure."""

    failed_below: float | None = None
    reason: str | None = None
    structures: tuple[ConfidenceRow, ...] = ()


class PictureEntry(_Part):
    """A picture's file; an overlay is of a `case` that has a `rank`, such as "second_worst"."""

    file: str
    kind: str
    case: str | None = None
    rank: str | None = None


class CaseEntry(_Part):
    """Whose a case is."""

    case: str
    patient: str | None = None


class EvaluationFile(_Part):
    """The document; `rest` is all that it says beside these tables."""

    summary: Summary = Summary()
    groups: tuple[GroupRow, ...] = ()
    clinical: Clinical = Clinical()
    confidence: Confidence = Confidence()
    pictures: tuple[PictureEntry, ...] = ()
    cases: tuple[CaseEntry, ...] = ()
    failed: Mapping[str, str] = Field(default_factory=dict)
    predictions_without_reference: tuple[str, ...] = ()
    rest: Mapping[str, Any] = Field(default_factory=dict)


def read_evaluation(path: Path) -> EvaluationFile:
    """Read the document; `InputError` if it is another file, of another version, or not understood."""
    content = read_json(path)
    require_schema(content, path)
    try:
        known = EvaluationFile.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: not understood: {first_problem(error)}; evaluate again") from None
    rest = {key: value for key, value in content.items() if key not in EvaluationFile.model_fields}
    return known.model_copy(update={"rest": rest})
