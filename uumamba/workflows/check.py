"""uumamba check: everything that is wrong with the files of a data set, or of a folder of images, at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from uumamba.config import RunConfig
from uumamba.core.console import make_console
from uumamba.core.errors import InputError, TooLargeError
from uumamba.core.isolation import Died, map_isolated
from uumamba.core.log import log
from uumamba.core.progress import track
from uumamba.data.case import Case
from uumamba.data.checks.cases import CasesToCheck, all_problems
from uumamba.data.checks.facts import CaseCheck, CaseFacts
from uumamba.data.checks.folder import folder_cases, folder_problems
from uumamba.data.datasets.table import find_dataset
from uumamba.data.memory import CaseSize, checking_bytes, size_of_case
from uumamba.data.problem import Problem
from uumamba.workflows.case_processes import number_of_processes
from uumamba.workflows.check_result import CheckResult, require_room, write_check
from uumamba.workflows.check_screen import tables


def check(dataset: str | None, data: Path | None, config: RunConfig, *, output: Path | None = None) -> None:
    """Print every problem of the data set `dataset` in `data`, or without one of a folder of images; write `output`.

    One bad file, even one that ends the process that reads it, does not end the check. Raises `InputError` at the end
    if a problem blocks.
    """
    if output is not None:
        require_room(output)
    started = perf_counter()
    cases = _cases(dataset, data, config)
    processes = config.hardware.processes
    training = examine(cases.training, cases.check_training, processes)
    test = examine(cases.test, cases.check_test, processes)
    problems = all_problems(cases, training, test)
    result = CheckResult(dataset, cases.place, len(training) + len(test), perf_counter() - started, problems)
    console = make_console()
    for table in tables(result):
        console.print(table)
    if output is not None:
        for path in write_check(output, result):
            log.info("wrote %s", path)
    if result.counts["blocks"]:
        raise InputError(f"{cases.place}: problems that block: {result.counts['blocks']}; correct them and check again")


def examine(cases: Sequence[Case], check_case: CaseCheck, processes: int | None) -> list[CaseFacts]:
    """The facts of each case, read in as many processes as are asked for, or as memory has room for."""
    if not cases:
        return []
    at_once = _side_by_side(cases) if processes is None else processes
    outcomes = track(map_isolated(check_case, cases, processes=at_once), "check cases", total=len(cases))
    return [
        _crash(case, outcome, check_case) if isinstance(outcome, Died) else outcome
        for case, outcome in zip(cases, outcomes, strict=True)
    ]


def _cases(dataset: str | None, data: Path | None, config: RunConfig) -> CasesToCheck:
    if dataset is None:
        if data is None:
            raise InputError("give --dataset, or --data with a folder of images, or both")
        return _folder_cases(data)
    known = find_dataset(dataset)
    listing = known.list_cases(data)
    return CasesToCheck(
        data or known.root or Path(),
        listing.training,
        listing.test,
        problems=listing.problems,
        dataset=known.description,
        folds=listing.folds or config.planning.folds,
        one_person=listing.one_person,
    )


def _folder_cases(folder: Path) -> CasesToCheck:
    cases = folder_cases(folder)
    problems = tuple(folder_problems(folder, cases))
    if not cases and not problems:
        raise InputError(f"{folder}: no images here; give the folder that holds them, or a --dataset")
    return CasesToCheck(folder, cases, problems=problems)


def _side_by_side(cases: Sequence[Case]) -> int:
    """How many cases memory has room for; one where it has none, as only the largest may then fail."""
    sizes = map_isolated(size_of_case, cases, processes=1)  # a header can end its process too
    needed = [checking_bytes(size) for size in sizes if isinstance(size, CaseSize)]
    try:
        return number_of_processes("check cases", needed, None)
    except TooLargeError as error:
        log.warning("%s; cases are checked one by one", str(error).partition(";")[0])
        return 1


def _crash(case: Case, died: Died, check_case: CaseCheck) -> CaseFacts:
    """A case whose process ended: its files are read again one by one, to know which it was."""
    files = list(dict.fromkeys(case.images))
    alone = [replace(case, images=(path,), frames=None, label_map=None) for path in files]
    if case.label_map is not None:
        files.append(case.label_map)
        alone.append(replace(case, images=(), frames=None))
    check_file = replace(check_case, channels=None, reference_required=False, max_dimensions=4)
    outcomes = map_isolated(check_file, alone, processes=1)
    ends = [(path, end) for path, end in zip(files, outcomes, strict=True) if isinstance(end, Died)]
    fix = "convert it with another program, or use a machine or job with more memory if that was what ended"
    problems = tuple(
        Problem(path, f"reading it ended the process ({end.reason})", fix, kind="crash")
        for path, end in ends or [(files[0], died)]
    )
    return CaseFacts(case, (None,) * len(case.images), None, None, problems)
