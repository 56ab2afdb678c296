"""What was found in a data set's folder."""

from dataclasses import dataclass

from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.data.problem import Problem
from uumamba.data.splits import Fold


@dataclass(frozen=True)
class Listing:
    """The cases of a data set, and every problem with how its files are laid out.

    `training` are the cases to learn from and to validate on, `test` those of a split of their own, whose references
    may be withheld. `folds` are the official ones, None if there are none. A case with a problem may be left out.
    `one_person` are patients who, as published, are the same person under two names; folds keep them together.
    """

    training: tuple[Case, ...]
    test: tuple[Case, ...] = ()
    folds: tuple[Fold, ...] | None = None
    problems: tuple[Problem, ...] = ()
    one_person: tuple[frozenset[str], ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """All cases, of training and test."""
        return self.training + self.test

    def require_usable(self) -> None:
        """Raise one `InputError` that lists every problem that blocks."""
        sentences = [problem.sentence for problem in self.problems if problem.blocks]
        if len(sentences) == 1:
            raise InputError(sentences[0])
        if sentences:
            raise InputError(f"{len(sentences)} problems with the data:\n  " + "\n  ".join(sentences))
