"""`summary.json` of an evaluation, as far as a page shows it; what it does not know is left aside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.settings import first_problem


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Interval(_Part):
    """A 95 % interval of a mean; None where there is none."""

    low: float | None = None
    high: float | None = None


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
    found: int = 0
    missed: int = 0
    false_positives: int = 0
    absent: int = 0
    failed: int = 0
    metrics: Mapping[str, MetricMean]


class SummaryFile(_Part):
    """The tables of a summary; `rest` is all else that it says, by key."""

    structures: tuple[StructureRow, ...] = ()
    overall: Mapping[str, MetricMean] = {}
    failed: Mapping[str, str] = {}
    patients: Mapping[str, str] = {}
    predictions_without_reference: tuple[str, ...] = ()
    rest: Mapping[str, Any] = {}


def read_summary(path: Path) -> SummaryFile:
    """Read a summary; `InputError` if it is no JSON or its tables are not understood."""
    content = read_json(path)
    try:
        known = SummaryFile.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: not understood: {first_problem(error)}; evaluate again") from None
    rest = {key: value for key, value in content.items() if key not in SummaryFile.model_fields}
    return known.model_copy(update={"rest": rest})
