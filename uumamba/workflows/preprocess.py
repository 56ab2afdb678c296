"""uumamba preprocess: from a data set as it was downloaded to a work folder that training needs nothing beside."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from uumamba.config import RunConfig
from uumamba.core.errors import ConfigError, InputError
from uumamba.core.files import hash_file, hash_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.core.progress import track
from uumamba.core.versions import installed_versions
from uumamba.data.case import Case
from uumamba.data.case_reading import read_case_images, read_case_labels
from uumamba.data.checks.patients import name_problems, split_problems
from uumamba.data.checks.reading import read_case
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.description import DatasetDescription, write_description
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.table import find_dataset
from uumamba.data.foreground import foreground_locations
from uumamba.data.plan import Plan, PlanningSettings, write_plan
from uumamba.data.planning import CaseFingerprint, fingerprint_case, plan_dataset, samples_per_case
from uumamba.data.preprocess import PREPROCESSING_VERSION, plan_spacing, preprocess_case
from uumamba.data.problem import Problem
from uumamba.data.splits import Fold, patient_folds, patients_to_test, same_sides
from uumamba.data.store import CaseRecord, PreprocessedStore
from uumamba.data.work_folder import WorkFolder
from uumamba.workflows.case_processes import CaseProcesses
from uumamba.workflows.roi_cases import coarse_cases

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def preprocess(dataset_name: str, data: Path | None, work: Path, config: RunConfig) -> None:
    """Check every training case of a data set, plan its networks, and store the cases for each configuration.

    The data set, as `find_dataset` knows it, lies in `data`, or where it says itself. What is done and unchanged (by
    hash of files, details and settings) is kept. Raises one `InputError` that lists every case that cannot be used,
    nothing is planned or stored then; or if the folds of earlier runs would change.
    """
    dataset = find_dataset(dataset_name)
    folder = WorkFolder(work / dataset.name)
    cases = _usable_cases(dataset, data, folder, config.planning)
    processes = CaseProcesses.of(cases, config.hardware.processes)
    described = {case.name: _describe(case) for case in track(cases, "hash files")}
    if not _is_planned(folder, dataset.description, config, described):
        _plan(folder, dataset.description, cases, described, config.planning, processes)
    write_description(folder.description, dataset.description)
    _report_repairs(folder)
    for configuration in config.planning.configurations:
        _store_cases(folder, configuration, cases, described, processes)
    if config.inference.roi is not None:
        _store_coarse_cases(folder, cases, config, processes)
    log.info("done: %s is ready for `uumamba train --dataset %s --work %s`", folder.path, dataset.name, work)


def _usable_cases(
    dataset: Dataset, data: Path | None, folder: WorkFolder, planning: PlanningSettings
) -> tuple[Case, ...]:
    """The cases that a fold trains or validates on; other problems than blocking ones are logged.

    The folds are kept in the work folder. What they all test on is not prepared: no plan shall know it.
    """
    listing, where = dataset.list_cases(data), data or dataset.root or Path()
    if where.resolve() == folder.path.resolve():
        raise InputError(
            f"--work {folder.path.parent}: would write into {where}, which holds the data set itself, and replace "
            "files of it; use another --work"
        )
    for problem in listing.problems:
        if not problem.blocks:
            log.warning("%s", problem.sentence)
    listing.require_usable()
    if not listing.training:
        raise InputError(f"{where}: no case to train on here; look at it with `uumamba check`")
    across = (
        *name_problems(listing.cases, where),
        *split_problems(listing.training, listing.test, listing.folds, where),
    )
    replace(listing, problems=across).require_usable()
    folds = _kept_folds(_folds(listing, planning), folder, listing, planning)
    needed = {name for fold in folds for name in (*fold.training, *fold.validation)}
    cases = tuple(case for case in listing.training if case.name in needed)
    log.info("%s: %d training cases in %s", dataset.description.title, len(cases), where)
    folder.write_folds(folds)
    return cases


def _kept_folds(
    folds: tuple[Fold, ...], folder: WorkFolder, listing: Listing, planning: PlanningSettings
) -> tuple[Fold, ...]:
    """`folds`, or those that runs were trained with when it was not known yet that two patients are one person."""
    if not listing.one_person or not folder.has_runs or not folder.folds.is_file():
        return folds
    before, earlier = folder.read_folds(), _folds(replace(listing, one_person=()), planning)
    if same_sides(before, folds) or not same_sides(before, earlier):
        return folds
    log.warning(
        "%s: the folds of an earlier version are kept, for %s holds runs trained with them; one person is on both "
        "sides of some (%s): use another --work for folds without that",
        *(folder.folds, folder.runs, "; ".join(" and ".join(sorted(patients)) for patients in listing.one_person)),
    )
    return earlier


def _folds(listing: Listing, planning: PlanningSettings) -> tuple[Fold, ...]:
    """The folds as the data set gives them, or by patient; with the cases to test on."""
    test, fraction, seed = listing.test, planning.test_fraction, planning.split_seed
    if fraction > 0 and (listing.folds is not None or test):
        raise ConfigError("planning.test_fraction: the data set has folds or a test split of its own; leave it at 0")
    if fraction > 0:
        test = patients_to_test(listing.training, fraction=fraction, seed=seed, one_person=listing.one_person)
    names = tuple(sorted(case.name for case in test))
    folds = listing.folds
    if folds is None:
        kept = [case for case in listing.training if case.name not in names]
        folds = patient_folds(kept, folds=planning.folds, seed=seed, one_person=listing.one_person)
    else:
        log.info("%d folds as the data set gives them", len(folds))
    return tuple(fold.model_copy(update={"test": fold.test or names}) for fold in folds)


def _describe(case: Case) -> dict[str, Any]:
    """What a case is made of: the same as long as its files and details are the same."""
    names = [file.name for file in case.files]
    if len(set(names)) < len(names):  # scans/0412.nii.gz and drawn/0412.nii.gz
        names = [f"{place} {name}" for place, name in enumerate(names, 1)]
    hashes = {name: hash_file(file) for name, file in zip(names, case.files, strict=True)}
    described = {"patient": case.patient, "details": case.details, "sha256": hashes, "version": PREPROCESSING_VERSION}
    return described if case.frames is None else described | {"frames": [*case.frames, case.label_frame]}


def _is_planned(folder: WorkFolder, dataset: DatasetDescription, config: RunConfig, described: dict[str, Any]) -> bool:
    if not folder.record.is_file() or not all(folder.plan(name).is_file() for name in config.planning.configurations):
        return False
    return bool(folder.read_record()["inputs"] == _inputs_hash(dataset, described, config.planning))


def _inputs_hash(dataset: DatasetDescription, described: dict[str, Any], planning: PlanningSettings) -> str:
    what = dataset.model_dump(mode="json", include={"labels", "channels"})
    return hash_json({"cases": described, "memory_gb": planning.memory_gb, **what})


def _plan(
    folder: WorkFolder,
    dataset: DatasetDescription,
    cases: Sequence[Case],
    described: dict[str, Any],
    planning: PlanningSettings,
    processes: CaseProcesses,
) -> None:
    """Check all cases, then write the plans and the record."""
    check = partial(_check_case, labels=dataset.labels, samples=samples_per_case(len(cases)))
    outcomes = list(_in_parallel(check, cases, "check and measure cases", processes.to_check(cases)))
    unusable = [outcome for outcome in outcomes if not isinstance(outcome, CheckedCase)]
    if unusable:
        lines = "\n  ".join(problem.sentence for problems in unusable for problem in problems)
        raise InputError(f"{len(unusable)} of {len(cases)} cases cannot be used:\n  {lines}")
    checked = [outcome for outcome in outcomes if isinstance(outcome, CheckedCase)]
    plans = plan_dataset(
        [case.fingerprint for case in checked],
        folder.nnunet,
        dataset=dataset.name,
        labels=dataset.labels,
        channels=dataset.channels,
        memory_target_gb=planning.memory_gb,
    )
    if missing := [name for name in planning.configurations if name not in plans]:
        raise ConfigError(
            f"planning.configurations: {missing[0]} cannot be planned for images of one slice; leave it out, with "
            f"--set planning.configurations=[2d] --set plan.configuration=2d"
        )
    for configuration, plan in plans.items():
        write_plan(folder.plan(configuration), plan)
    repaired = {
        case.name: described[case.name] | {"repairs": list(found.repairs)}
        for case, found in zip(cases, checked, strict=True)
    }
    inputs = _inputs_hash(dataset, described, planning)
    record = {"dataset": dataset.name, "inputs": inputs, "versions": installed_versions()}
    write_json(folder.record, record | {"cases": repaired})


@dataclass(frozen=True)
class CheckedCase:
    """What planning needs of a case that can be used, and what was repaired in its headers."""

    fingerprint: CaseFingerprint
    repairs: tuple[str, ...]


def _check_case(case: Case, *, labels: LabelSet, samples: int) -> CheckedCase | tuple[Problem, ...]:
    """What planning needs of a case, or all that is wrong with it."""
    read = read_case(case, labels)
    images = [image for image in read.images if image is not None]
    if read.blocks or read.label_map is None:
        return read.blocks
    fingerprint = fingerprint_case(images, read.label_map, samples=samples)
    repairs = (problem for problem in read.problems if problem.kind == "header_repaired")
    return CheckedCase(fingerprint, tuple(dict.fromkeys(f"{note.file.name}: {note.what}" for note in repairs)))


def _report_repairs(folder: WorkFolder) -> None:
    repairs = [case["repairs"] for case in folder.read_record()["cases"].values() if case["repairs"]]
    if repairs:
        log.info("repaired headers of %d cases, all in %s; the first: %s", len(repairs), folder.record, repairs[0][0])


def _store_cases(
    folder: WorkFolder, configuration: str, cases: Sequence[Case], described: dict[str, Any], processes: CaseProcesses
) -> None:
    plan, store = folder.read_plan(configuration), folder.store(configuration)
    hashes = {
        case.name: hash_json({"case": described[case.name], "plan": plan.model_dump(mode="json")}) for case in cases
    }
    missing = [(case, hashes[case.name]) for case in cases if not store.is_current(case.name, hashes[case.name])]
    log.info("%s: %d of %d cases are stored already", configuration, len(cases) - len(missing), len(cases))
    if missing:
        store_case = partial(_store_case, store=store, plan=plan)
        what = f"preprocess {configuration}"
        at_once = processes.to_store(what, [case for case, _ in missing], plan)
        list(_in_parallel(store_case, missing, what, at_once))


def _store_case(task: tuple[Case, str], *, store: PreprocessedStore, plan: Plan) -> None:
    case, inputs_hash = task
    prepared = preprocess_case(read_case_images(case), plan, read_case_labels(case))
    if prepared.labels is None:
        raise InputError(f"{case.name}: no reference label map; a training case needs one")
    record = CaseRecord(
        inputs=inputs_hash,
        spacing_mm=plan_spacing(prepared.geometry, plan),
        geometry=prepared.geometry.model_dump(mode="json"),
        details=case.details,
    )
    foreground = foreground_locations(prepared.labels, ignore=plan.labels.ignore, regions=plan.labels.regions)
    store.write(case.name, prepared.data, prepared.labels, record, foreground=foreground, patch_size=plan.patch_size)


def _store_coarse_cases(folder: WorkFolder, cases: Sequence[Case], config: RunConfig, processes: CaseProcesses) -> None:
    """What a coarse network is trained on, from the cases that are stored."""
    made = coarse_cases(folder, config)
    missing = made.missing([case.name for case in cases])
    if not missing:
        return
    log.info("region of interest: %d cases to store in %s", len(missing), made.store.folder)
    what = "preprocess region of interest"
    # Each is read from the store as a whole, which is less than it took to make it.
    at_once = processes.to_store(what, cases, folder.read_plan(config.plan.configuration))
    list(_in_parallel(made.write, missing, what, at_once))


def _in_parallel(
    function: Callable[[Item], Outcome], items: Sequence[Item], description: str, processes: int
) -> Iterator[Outcome]:
    """`function` of each item, in order; in this process if one is enough."""
    if processes == 1 or len(items) < 2:
        yield from track(map(function, items), description, total=len(items))
        return
    # Processes are spawned because a fork of a process that has used torch's threads can hang.
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        yield from track(pool.map(function, items), description, total=len(items))
