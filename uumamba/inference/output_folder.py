"""The folder that a batch writes to: what its files are called, and that no other batch's results are lost in it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.file_lock import locked
from uumamba.core.files import remove_left_over
from uumamba.inference.case_table import CaseResult, is_case_table, read_case_names, read_cases
from uumamba.inference.inputs import CaseInput, find_tables, label_map_path
from uumamba.inference.review import REVIEW_NAME
from uumamba.inference.shard import Shard

MAPS = ("entropy", "disagreement")
"""The maps that may lie beside a label map, named as in `Prediction`."""


@dataclass(frozen=True)
class OutputFolder:
    """A batch's folder: `<case>.nii.gz`, `<case>_entropy.nii.gz` and so on, `cases.csv` and `run.json`.

    A shard has a table and a record of its own, `cases_<i>_of_<n>.csv` and `run_<i>_of_<n>.json`.
    """

    path: Path
    shard: Shard | None = None

    @property
    def table(self) -> Path:
        """How each case ended."""
        return self.path / f"cases{self.shard.ending if self.shard else ''}.csv"

    @property
    def record(self) -> Path:
        """With what it was done."""
        return self.path / f"run{self.shard.ending if self.shard else ''}.json"

    @property
    def review(self) -> Path:
        """The cases in the order in which a person should look at them."""
        return self.path / _review_name(self.shard.ending if self.shard else "")

    def label_map(self, case: str) -> Path:
        """A case's label map."""
        return label_map_path(case, self.path)

    def map(self, case: str, name: str) -> Path:
        """One of a case's `MAPS`."""
        return self.path / f"{case}_{name}.nii.gz"

    def files(self, case: str) -> tuple[Path, ...]:
        """All files that a case may have."""
        return (self.label_map(case), *(self.map(case, name) for name in MAPS))

    @contextmanager
    def made(self, *, resume: bool, overwrite: bool) -> Iterator[None]:
        """Make the folder and lock it for the block; if it was not there and stays empty, it is removed.

        Raises `InputError` if it cannot be made or written to, if another process is at work there (other jobs of the
        same array may be), if something of another program is in the way, or if it holds another batch's results and
        neither `resume` nor `overwrite` says what to do with them.
        """
        is_new = not self.path.exists()
        self._require_writable()
        try:
            with self._locked():
                self._require_room(resume=resume, overwrite=overwrite)
                yield
        finally:
            if is_new and not any(self.path.iterdir()):
                self.path.rmdir()

    def begin(self, cases: Sequence[CaseInput], *, resume: bool, overwrite: bool) -> dict[str, CaseResult]:
        """What to `resume` from, by case: the rows of all tables here. With `overwrite` all results are removed.

        Raises `InputError` if a file that no batch wrote would be replaced, and there is no `overwrite`.
        """
        tables = find_tables(self.path)
        if overwrite:
            for table in tables:
                for case in read_case_names(table):
                    remove_files(self.files(case))
                ending = table.name.removeprefix("cases").removesuffix(".csv")
                beside = (self.path / f"run{ending}.json", self.path / _review_name(ending))
                remove_files((table, *beside))
        elif not tables:
            taken = [path for case in cases for path in self.files(case.case) if path.exists()]
            if taken:
                raise InputError(
                    f"{taken[0]}: is there already, and no {self.table.name} of a batch beside it "
                    f"({len(taken)} such files); give another --output, or --overwrite to replace them"
                )
        return {case: row for table in tables for case, row in read_cases(table).items()} if resume else {}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """No other process writes this table; beside the whole batch no job of an array is at work."""
        own, whole = self.path / f".{self.table.stem}.lock", self.path / ".cases.lock"
        jobs = () if self.shard else sorted(self.path.glob(".cases_*_of_*.lock"))
        with ExitStack() as held:
            if self.shard and whole.exists():  # jobs share it, so that none may keep it
                with self._lock(whole):
                    pass
            for path in (own, *jobs):
                held.enter_context(self._lock(path))
            yield

    def _lock(self, path: Path) -> AbstractContextManager[None]:
        refusal = f"another process is at work there ({path.name}); wait for its end, or give another folder"
        return locked(path, otherwise=f"--output {self.path}: {refusal}")

    def _require_writable(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                return
        except OSError as error:
            raise InputError(
                f"--output {self.path}: cannot be written to ({error.strerror or error}); give a folder that can"
            ) from None

    def _require_room(self, *, resume: bool, overwrite: bool) -> None:
        if self.table.exists() and not is_case_table(self.table):
            raise InputError(f"{self.table}: not a table of this program; give another --output")
        if self.record.exists() and not self.table.exists():
            raise InputError(f"{self.record}: the record of something else; give another --output")
        others = [table.name for table in find_tables(self.path) if not self._is_beside(table)]
        if others and not resume and not overwrite:
            raise InputError(
                f"--output {self.path}: holds the results of a batch ({', '.join(others[:3])}); "
                f"--resume goes on with it, --overwrite replaces it, or give another folder"
            )

    def _is_beside(self, table: Path) -> bool:
        """Whether a table is that of another job of the same array."""
        return self.shard is not None and table != self.table and table.stem.endswith(f"_of_{self.shard.count}")


def remove_files(paths: Sequence[Path]) -> None:
    """Remove files that may be there, and what killed processes left of them."""
    for path in paths:
        path.unlink(missing_ok=True)
        remove_left_over(path)


def _review_name(ending: str) -> str:
    return Path(REVIEW_NAME).stem + ending + ".csv"
