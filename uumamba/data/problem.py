"""What is wrong with a data set's files."""

from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `file`, `what` it is, and the `fix`; no case can be trusted until one that `blocks` is.

    Others are worth a look, and do not keep anything from being done.
    """

    file: Path
    what: str
    fix: str
    blocks: bool = True

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return f"{self.file}: {self.what}; {self.fix}"


class ProblemError(InputError):
    """The one problem that keeps something from being read."""

    def __init__(self, file: Path, what: str, fix: str) -> None:
        self.problem = Problem(file, what, fix)
        super().__init__(self.problem.sentence)
