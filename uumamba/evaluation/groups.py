"""Summaries of groups of cases: by vendor, by disease, by phase, by whatever column the cases have."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from uumamba.evaluation.case_facts import CaseFacts
from uumamba.evaluation.scoring import StructureScore
from uumamba.evaluation.summary import StructureSummary, summarise_structures

ENOUGH_PATIENTS = 3
"""A group of fewer patients gets no interval."""
MOST_GROUPS = 20
"""A column with more different values, such as an age, makes no groups."""
NOT_GIVEN = "not given"

Columns = Mapping[str, Mapping[str, str]]
"""Column -> case -> the group it belongs to; every case has one."""


@dataclass(frozen=True)
class GroupSummary:
    """One structure over the cases whose `column` says `group`."""

    column: str
    group: str
    summary: StructureSummary


def group_columns(facts: Iterable[CaseFacts], cases: Collection[str]) -> tuple[Columns, tuple[str, ...]]:
    """The columns that group `cases`, and those that do not as they have more than `MOST_GROUPS` values.

    Each text among the cases' details is a column; a case without it belongs to the group "not given".
    """
    found: dict[str, dict[str, str]] = {}
    for each in facts:
        for column, value in each.details.items():
            if each.name in cases and isinstance(value, str) and value:
                found.setdefault(column, {})[each.name] = value
    whole = {column: {case: values.get(case, NOT_GIVEN) for case in sorted(cases)} for column, values in found.items()}
    too_many = tuple(column for column, values in whole.items() if len(set(values.values())) > MOST_GROUPS)
    return {column: values for column, values in whole.items() if column not in too_many}, too_many


def summarise_groups(
    scores: Sequence[StructureScore], columns: Columns, patients: Mapping[str, str]
) -> tuple[GroupSummary, ...]:
    """A row per group, by name, and structure, column after column; the groups of a column share no case."""
    return tuple(
        GroupSummary(column, group, summary)
        for column, group_of in columns.items()
        for group in sorted(set(group_of.values()), key=lambda name: (name == NOT_GIVEN, name))
        for summary in summarise_structures(
            [score for score in scores if group_of[score.case] == group], patients, enough_patients=ENOUGH_PATIENTS
        )
    )
