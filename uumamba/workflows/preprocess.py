"""uumamba preprocess: from a data set as it was downloaded to a work folder that training needs nothing beside."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from uumamba.config import RunConfig
from uumamba.core.errors import InputError, UumambaError
from uumamba.core.files import hash_file, hash_json, read_json, write_json
from uumamba.core.labels import LabelSet
from uumamba.core.log import log
from uumamba.core.progress import track
from uumamba.core.versions import installed_versions
from uumamba.data.case import Case
from uumamba.data.datasets.table import find_dataset
from uumamba.data.foreground import foreground_locations
from uumamba.data.plan import Plan, write_plan
from uumamba.data.planning import CaseFingerprint, fingerprint_case, plan_dataset, samples_per_case
from uumamba.data.preprocess import preprocess_case
from uumamba.data.splits import patient_folds, write_folds
from uumamba.data.store import CaseRecord
from uumamba.data.work_folder import WorkFolder
from uumamba.imaging.files import read_image, read_label_map
from uumamba.training.hardware import available_cores

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def preprocess(dataset_name: str, data: Path, work: Path, config: RunConfig) -> None:
    """Check every training case of a data set, plan its networks, and store the cases for each configuration.

    What is done and unchanged (by hash of files and settings) is kept. Raises one `InputError` that lists every case
    that cannot be used; nothing is planned or stored then.
    """
    dataset = find_dataset(dataset_name)
    folder = WorkFolder(work / dataset.name)
    cases = dataset.index(data)
    processes = config.hardware.processes or available_cores()
    log.info("%s: %d training cases in %s, %d processes", dataset.title, len(cases), data, processes)

    hashes = {case.name: _hash_files(case) for case in track(cases, "hash files")}
    settings = {
        "memory_gb": config.planning.memory_gb,
        "channels": list(dataset.channels),
        "labels": dataset.labels.model_dump(mode="json"),
    }
    plans_hash = hash_json({"files": hashes, "settings": settings})
    if not _is_planned(folder, config, plans_hash):
        checked = _check_cases(cases, dataset.labels, processes)
        plans = plan_dataset(
            [case.fingerprint for case in checked],
            folder.nnunet,
            dataset=dataset.name,
            labels=dataset.labels,
            channels=dataset.channels,
            memory_target_gb=config.planning.memory_gb,
        )
        for configuration, plan in plans.items():
            write_plan(folder.plan(configuration), plan)
        described = {
            case.name: _describe(case, hashes[case.name], checked[number].repairs) for number, case in enumerate(cases)
        }
        write_json(
            folder.record,
            {"dataset": dataset.name, "plans_hash": plans_hash, "cases": described, "versions": installed_versions()},
        )
    _report_repairs(folder)
    write_folds(folder.folds, patient_folds(cases, folds=config.planning.folds, seed=config.planning.split_seed))

    for configuration in config.planning.configurations:
        _store_cases(folder, configuration, cases, hashes, processes)
    log.info("done: %s is ready for `uumamba train --dataset %s --work %s`", folder.path, dataset.name, work)


@dataclass(frozen=True)
class CheckedCase:
    """A case that can be used: its fingerprint and what was repaired in its headers; or the problem with it."""

    fingerprint: CaseFingerprint
    repairs: tuple[str, ...]


def _hash_files(case: Case) -> dict[str, str]:
    files = (*case.images, *([case.label_map] if case.label_map else []))
    return {file.name: hash_file(file) for file in files}


def _is_planned(folder: WorkFolder, config: RunConfig, plans_hash: str) -> bool:
    if not folder.record.is_file() or not all(folder.plan(name).is_file() for name in config.planning.configurations):
        return False
    return bool(read_json(folder.record).get("plans_hash") == plans_hash)


def _describe(case: Case, hashes: dict[str, str], repairs: tuple[str, ...]) -> dict[str, Any]:
    return {"patient": case.patient, "details": case.details, "sha256": hashes, "repairs": list(repairs)}


def _report_repairs(folder: WorkFolder) -> None:
    repaired = {name: case["repairs"] for name, case in folder.read_record()["cases"].items() if case["repairs"]}
    if repaired:
        name, repairs = next(iter(repaired.items()))
        log.info(
            "repaired headers of %d cases (all in %s), for example %s: %s",
            len(repaired),
            folder.record,
            name,
            repairs[0],
        )


def _check_cases(cases: Sequence[Case], labels: LabelSet, processes: int) -> list[CheckedCase]:
    check = partial(_check_case, labels=labels, samples=samples_per_case(len(cases)))
    outcomes = list(_in_parallel(check, cases, "check and measure cases", processes))
    problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if problems:
        raise InputError(f"{len(problems)} of {len(cases)} cases cannot be used:\n  " + "\n  ".join(problems))
    return [outcome for outcome in outcomes if isinstance(outcome, CheckedCase)]


def _check_case(case: Case, *, labels: LabelSet, samples: int) -> CheckedCase | str:
    """What planning needs of a case, or the problem with it as one line."""
    try:
        images = [read_image(path) for path in case.images]
        label_map = read_label_map(_reference(case))
        strange = sorted(set(np.unique(label_map.data).tolist()) - {*range(labels.classes), labels.ignore})
        if strange:
            allowed = f"0 to {labels.classes - 1} ({', '.join(labels.names)})"
            return f"{case.label_map}: labels must be {allowed}, found also {strange}"
        repairs = tuple(
            f"{file.name}: {repair}"
            for file, image in zip((*case.images, _reference(case)), (*images, label_map), strict=True)
            for repair in image.repairs
        )
        return CheckedCase(fingerprint_case(images, label_map, samples=samples), repairs)
    except UumambaError as error:
        return str(error)


def _reference(case: Case) -> Path:
    if case.label_map is None:
        raise InputError(f"{case.name}: no reference label map; a training case needs one")
    return case.label_map


def _store_cases(
    folder: WorkFolder, configuration: str, cases: Sequence[Case], hashes: dict[str, dict[str, str]], processes: int
) -> None:
    plan = folder.read_plan(configuration)
    store = folder.store(configuration)
    wanted = {
        case.name: hash_json({"files": hashes[case.name], "plan": plan.model_dump(mode="json")}) for case in cases
    }
    missing = [case for case in cases if not store.is_current(case.name, wanted[case.name])]
    log.info("%s: %d of %d cases are stored already", configuration, len(cases) - len(missing), len(cases))
    work = partial(_store_case, folder=folder, plan=plan)
    for _ in _in_parallel(
        work, [(case, wanted[case.name]) for case in missing], f"preprocess {configuration}", processes
    ):
        pass


def _store_case(task: tuple[Case, str], *, folder: WorkFolder, plan: Plan) -> None:
    case, inputs_hash = task
    images = [read_image(path) for path in case.images]
    prepared = preprocess_case(images, plan, read_label_map(_reference(case)))
    if prepared.labels is None:
        raise InputError(f"{case.name}: no reference label map; a training case needs one")
    spacing = plan.spacing_mm if plan.spatial_dims == 3 else (prepared.geometry.spacing_mm[0], *plan.spacing_mm[1:])
    record = CaseRecord(
        inputs=inputs_hash, spacing_mm=spacing, geometry=prepared.geometry.model_dump(mode="json"), details=case.details
    )
    foreground = foreground_locations(prepared.labels, ignore=plan.labels.ignore)
    folder.store(plan.configuration).write(
        case.name, prepared.data, prepared.labels, record, foreground=foreground, patch_size=plan.patch_size
    )


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
