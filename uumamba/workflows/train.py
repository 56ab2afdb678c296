"""uumamba train: one fold of one configuration, from a work folder to a bundle."""

import csv
import io
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uumamba.config import RunConfig, dump_config
from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json, write_text
from uumamba.core.log import log, log_to, silent
from uumamba.core.machine import peak_memory_gb
from uumamba.core.processes import find_processes
from uumamba.core.versions import installed_versions
from uumamba.data.datasets.table import find_dataset
from uumamba.data.fold_names import parse_folds
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.bundle import BundleDescription, TrainingRecord, write_bundle
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.cluster import Fabric, connected
from uumamba.training.interruption import Interruption
from uumamba.training.loop import fit
from uumamba.training.run_directory import RunDirectory
from uumamba.training.safekeeping import Safekeeping, resume
from uumamba.training.state import Training
from uumamba.training.tensorboard import require_tensorboard
from uumamba.training.validation import validate_volumes
from uumamba.workflows.cross_validation import summarise_folds
from uumamba.workflows.fitted_job import fit_job, refit_job
from uumamba.workflows.training_job import (
    Job,
    build_average,
    build_data,
    build_recipe,
    build_training,
    describe_job,
    find_job,
    log_description,
    start_from_bundle,
)
from uumamba.workflows.training_watch import watch

_MAY_CHANGE_ON_RESUME = (
    "hardware",
    "training.checkpoint_minutes",
    "training.overlay_every",
    "training.tensorboard",
)


def train(
    dataset_name: str,
    work: Path,
    name: str,
    config: RunConfig,
    *,
    fold: str,
    resume_run: bool,
    overwrite: bool,
    init: Path | None = None,
) -> RunDirectory:
    """Train and validate one fold, from the weights of the bundle `init` if there is one; returns the run's folder.

    Under torchrun or srun all processes call this together. Raises `InputError` if the data set is not preprocessed, if
    the run is there already or being trained, if there is nothing to resume, or if a resumed run began with other
    settings or data; `Interrupted`, with all kept, if a signal asked to stop.
    """
    processes = find_processes()
    job = find_job(dataset_name, work, name, config, fold, processes)
    directory = job.directory
    directory.check(resume=resume_run, overwrite=overwrite)
    if resume_run and init is not None:
        raise InputError("--init begins a run, and --resume goes on with one that has begun; give one of them")
    with (
        Interruption().heard() as interruption,
        connected(processes, job.device) as fabric,
        directory.locked(processes),
        silent(unless=processes.is_first),
    ):
        _train(job, fabric, interruption, resume_run=resume_run, init=init)
    return directory


def train_folds(
    dataset_name: str,
    work: Path,
    name: str,
    config: RunConfig,
    *,
    folds: str,
    resume_run: bool,
    overwrite: bool,
    init: Path | None = None,
) -> None:
    """Train the folds that `folds` lists ("0-4", "0,2"), one after the other, and summarise all that are done.

    To resume is to go on with the fold that was stopped and to train those that never began.
    """
    folder = WorkFolder(work / find_dataset(dataset_name).name)
    count = len(folder.read_folds())
    chosen = parse_folds(folds, count=count)
    directories = {fold: RunDirectory(folder.run(name, fold)) for fold in chosen}
    if resume_run and not any(directory.last.is_file() for directory in directories.values()):
        raise InputError(f"{folder.runs / name}: nothing to resume in the folds {folds}; start without --resume")
    for directory in directories.values():
        directory.check(resume=resume_run and directory.last.is_file(), overwrite=overwrite)
    for fold, directory in directories.items():
        begun = resume_run and directory.last.is_file()
        if begun and directory.is_finished:
            log.info("fold %s is finished already: %s", fold, directory.path)
            continue
        start = None if begun else init
        train(dataset_name, work, name, config, fold=fold, resume_run=begun, overwrite=overwrite, init=start)
    if find_processes().is_first:
        summarise_folds(folder.runs / name, count)


def _train(job: Job, fabric: Fabric, interruption: Interruption, *, resume_run: bool, init: Path | None) -> None:
    if job.config.training.tensorboard:
        require_tensorboard()
    job, fitted = refit_job(job) if resume_run else fit_job(job, fabric)
    training = build_training(job, fabric)
    record = describe_job(job, training) | {"fitted": None if fitted is None else fitted.model_dump(mode="json")}
    if init is not None:
        record["init"] = start_from_bundle(job, training, init)
    training.average = build_average(job, training)
    # Only now, when all settings and cases are known to be good, may an older run be replaced.
    if resume_run:
        record |= _require_same_run(job, record)
    job.processes.wait()
    if job.processes.is_first and not resume_run:
        job.directory.begin()
    with log_to(job.directory.log if job.processes.is_first else None):
        log_description(job, record)
        for sentence in () if fitted is None else fitted.sentences():
            log.info("%s", sentence)
        if job.processes.is_first:
            write_text(job.directory.config, dump_config(job.config))
            write_json(job.directory.record, record)
        if resume_run:
            resume(training, job.directory)
        _run(job, training, record, interruption)


def _run(job: Job, training: Training, record: dict[str, Any], interruption: Interruption) -> None:
    minutes = job.config.training.checkpoint_minutes
    safekeeping = Safekeeping(training, job.directory, interruption, minutes=minutes)
    with interruption.deferred(), watch(job, training) as after_epoch:
        # From its first step on the run can be resumed.
        safekeeping.save()
        fit(training, build_recipe(job.config), build_data(job), safekeeping, on_epoch=after_epoch)
        if training.epoch < job.config.training.epochs and job.processes.is_first:
            after_epoch.draw_curves(training.history)  # stopped early, so the last epoch was not known to be it
    _take_best_weights(job, training)
    started = time.perf_counter()
    with training.averaged():
        # Before the validation, which may take long: whoever stops it has the model all the same.
        _write_bundle(job, training, record, scores={})
        scores: dict[str, float | None] = {}
        if job.cases.validation:
            scores = _validate_volumes(job, training)
            _write_bundle(job, training, record, scores)
    seconds = math.fsum(row["seconds"] or 0.0 for row in training.history) + time.perf_counter() - started
    finished = {"seconds": round(seconds, 1), "peak_memory_gb": peak_memory_gb(job.device), "scores": scores}
    if job.processes.is_first:
        write_json(job.directory.record, record | {"finished": finished})
    log.info("done in %.0f s, peak memory %s GB: %s", seconds, finished["peak_memory_gb"], job.directory.bundle)


def _take_best_weights(job: Job, training: Training) -> None:
    """For the bundle, if it shall hold the best epoch's weights and not the last's."""
    if job.config.training.bundle == "best" and job.cases.validation:
        job.processes.wait()
        training.take_weights(read_checkpoint(job.directory.best))
        log.info("the bundle holds the weights of epoch %d, the best", training.best_epoch)


def _require_same_run(job: Job, record: dict[str, Any]) -> dict[str, Any]:
    """A resumed run must go on as it began: the same settings (but for the machine's), plan, split and data.

    Gives what the record keeps of the sessions before.
    """
    before = read_json(job.directory.record)
    changed = _differences(before["configuration"], record["configuration"])
    changed += [name for name in ("precision", "plan", "split", "data_hash") if before[name] != record[name]]
    if changed:
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as {', '.join(changed)} changed since it began; "
            f"resume with --config {job.directory.config} --name {job.directory.path.parent.name}, or begin anew with "
            "--overwrite"
        )
    session = {key: before[key] for key in ("time", "device_name", "processes", "versions", "git")}
    kept = {"earlier_sessions": [*before.get("earlier_sessions", []), session]}
    return kept | ({"init": before["init"]} if "init" in before else {})


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The dotted names of the settings that differ and may not."""
    different = []
    for key in dict.fromkeys((*old, *new)):
        name, one, other = prefix + key, old.get(key), new.get(key)
        if name in _MAY_CHANGE_ON_RESUME or one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            different += _differences(one, other, f"{name}.")
        else:
            different.append(name)
    return different


def _validate_volumes(job: Job, training: Training) -> dict[str, float | None]:
    """Mean Dice of whole validation volumes per structure; the cases go into a table."""
    structures = job.plan.labels.structures
    processes = job.processes
    own = job.cases.validation[processes.rank :: processes.count]
    shares = processes.gather(validate_volumes(training.network, job.store, own, job.plan, job.device))
    together = {case: row for share in shares for case, row in share.items()}
    scores = {case: together[case] for case in job.cases.validation}
    if processes.is_first:
        write_text(job.directory.validation, _table(structures, scores))
    means: dict[str, float | None] = {}
    for structure in structures:
        values = [value for row in scores.values() if (value := row[structure]) is not None]
        means[structure] = math.fsum(values) / len(values) if values else None
    shown = (f"{name} {'none' if value is None else format(value, '.4f')}" for name, value in means.items())
    log.info("mean Dice of %d whole validation volumes: %s", len(scores), ", ".join(shown))
    return means


def _table(structures: Mapping[str, int], scores: Mapping[str, Mapping[str, float | None]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["case", *structures], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"case": case, **row} for case, row in scores.items())
    return text.getvalue()


def _write_bundle(job: Job, training: Training, record: dict[str, Any], scores: dict[str, float | None]) -> None:
    if not job.processes.is_first:
        return
    description = BundleDescription(
        plan=job.plan,
        network=job.config.network,
        mirrored_axes=job.dataset.mirrored_axes,
        training=TrainingRecord(
            seed=job.config.seed,
            epochs=training.epoch,
            fold=job.fold,
            cases=job.cases.training,
            data_hash=record["data_hash"],
            scores=scores,
            configuration=record["configuration"],
        ),
        versions=installed_versions(),
        licence=job.dataset.licence,
        citation=job.dataset.citation,
    )
    write_bundle(job.directory.bundle, state=training.network.state_dict(), description=description)
