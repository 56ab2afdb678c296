"""All checks together: which cases, what is known of them, and every problem in one order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from uumamba.data.case import Case
from uumamba.data.checks.across import duplicate_problems, structure_problems, unusual_cases
from uumamba.data.checks.facts import CaseCheck, CaseFacts
from uumamba.data.checks.patients import count_problems, name_problems, split_problems
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.problem import KINDS, SEVERITIES, Problem
from uumamba.data.splits import Fold


@dataclass(frozen=True)
class CasesToCheck:
    """The cases of a data set or folder, what is known of them already, and what is asked of them all together.

    `place` is the folder or table that stands for all cases. Without `dataset` nothing is known of labels, channels
    and patients, and time series are welcome. `folds` are the official ones, or else how many there shall be;
    `one_person` as in `Listing`.
    """

    place: Path
    training: tuple[Case, ...]
    test: tuple[Case, ...] = ()
    problems: tuple[Problem, ...] = ()
    dataset: DatasetDescription | None = None
    folds: tuple[Fold, ...] | int = 5
    one_person: tuple[frozenset[str], ...] = ()

    @property
    def check_training(self) -> CaseCheck:
        """How each training case is checked by itself."""
        if self.dataset is None:
            return CaseCheck(reference_required=False, max_dimensions=4)
        return CaseCheck(self.dataset.labels, self.dataset.channels)

    @property
    def check_test(self) -> CaseCheck:
        """The same for test cases, whose references may be withheld."""
        known = self.check_training
        return CaseCheck(known.labels, known.channels, reference_required=False, max_dimensions=known.max_dimensions)


def all_problems(
    cases: CasesToCheck, training: Sequence[CaseFacts], test: Sequence[CaseFacts] = ()
) -> tuple[Problem, ...]:
    """Every problem, those that block first, then by kind and file; `training` and `test` are the cases' facts."""
    problems = [*cases.problems, *(problem for facts in (*training, *test) for problem in facts.problems)]
    problems += _problems_across(cases, training, test)
    return tuple(sorted(set(problems), key=_order))


def _problems_across(
    cases: CasesToCheck, training: Sequence[CaseFacts], test: Sequence[CaseFacts]
) -> Iterator[Problem]:
    facts, known = (*training, *test), cases.dataset
    yield from duplicate_problems(facts, patients_known=known is not None, one_person=cases.one_person)
    if known is None:
        return
    yield from unusual_cases(facts, len(known.channels))
    yield from structure_problems(training, known.labels, cases.place)
    yield from name_problems((*cases.training, *cases.test), cases.place)
    if isinstance(cases.folds, int):
        yield from split_problems(cases.training, cases.test, (), cases.place)
        if cases.training:
            yield from count_problems(cases.training, cases.folds, cases.place)
    else:
        yield from split_problems(cases.training, cases.test, cases.folds, cases.place)


def _order(problem: Problem) -> tuple[int, int, str, str]:
    return SEVERITIES.index(problem.severity), list(KINDS).index(problem.kind), str(problem.file), problem.what
