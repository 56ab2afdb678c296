"""uumamba train: one fold of one configuration, from a work folder to a bundle."""

import csv
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from uumamba.config import RunConfig, dump_config
from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json, write_text
from uumamba.core.log import log, log_to, only_warnings
from uumamba.core.machine import peak_memory_gb
from uumamba.core.processes import find_processes
from uumamba.core.versions import installed_versions
from uumamba.inference.bundle import BundleDescription, TrainingRecord, write_bundle
from uumamba.reporting.curves import training_figure
from uumamba.reporting.style import save_figure
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.cluster import connected
from uumamba.training.history import Row
from uumamba.training.interruption import Interruption
from uumamba.training.loop import fit
from uumamba.training.run_directory import RunDirectory
from uumamba.training.safekeeping import Safekeeping, resume
from uumamba.training.state import Training
from uumamba.training.validation import validate_volumes
from uumamba.workflows.training_job import (
    Job,
    build_data,
    build_recipe,
    build_training,
    describe_job,
    find_job,
    log_description,
)

_SECONDS_BETWEEN_CURVES = 60.0
_MAY_CHANGE_ON_RESUME = (
    "hardware",
    "training.checkpoint_minutes",
    "training.overlay_every",
    "training.tensorboard",
)


def train(
    dataset_name: str, work: Path, name: str, config: RunConfig, *, fold: str, resume_run: bool, overwrite: bool
) -> RunDirectory:
    """Train and validate one fold; returns the run's folder, which then holds the bundle.

    Under torchrun or srun all processes call this together. Raises `InputError` if the data set is not preprocessed, if
    the run is there already or being trained, if there is nothing to resume, or if a resumed run began with other
    settings or data; `Interrupted`, with all kept, if a signal asked to stop.
    """
    processes = find_processes()
    job = find_job(dataset_name, work, name, config, fold, processes)
    directory = job.directory
    directory.check(resume=resume_run, overwrite=overwrite)
    with (
        Interruption().heard() as interruption,
        connected(processes, job.device) as fabric,
        directory.locked(processes),
        only_warnings(unless=processes.is_first),
    ):
        _train(job, fabric, interruption, resume_run=resume_run)
    return directory


def _train(job: Job, fabric: Fabric, interruption: Interruption, *, resume_run: bool) -> None:
    training = build_training(job, fabric)
    record = describe_job(job, training)
    # Only now, when all settings and cases are known to be good, may an older run be replaced.
    if resume_run:
        _require_same_run(job, record)
    job.processes.wait()
    if job.processes.is_first and not resume_run:
        job.directory.begin()
    with log_to(job.directory.log if job.processes.is_first else None):
        log_description(job, record)
        if job.processes.is_first:
            write_text(job.directory.config, dump_config(job.config))
            write_json(job.directory.record, record)
        if resume_run:
            resume(training, job.directory)
        _run(job, training, record, interruption)


def _run(job: Job, training: Training, record: dict[str, Any], interruption: Interruption) -> None:
    minutes = job.config.training.checkpoint_minutes
    safekeeping = Safekeeping(training, job.directory, interruption, minutes=minutes)
    with interruption.deferred():
        # From its first step on the run can be resumed.
        safekeeping.save()
        fit(training, build_recipe(job.config), build_data(job), safekeeping, on_epoch=_draw_curves(job))
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


def _require_same_run(job: Job, record: dict[str, Any]) -> None:
    """A resumed run must go on as it began: the same settings (but for the machine's), plan, split and data."""
    before = read_json(job.directory.record)
    changed = _differences(before["configuration"], record["configuration"])
    changed += [name for name in ("precision", "plan", "split", "data_hash") if before[name] != record[name]]
    if changed:
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as {', '.join(changed)} changed since it began; "
            f"resume with --config {job.directory.config} --name {job.directory.path.parent.name}, or begin anew with "
            "--overwrite"
        )


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


def _draw_curves(job: Job) -> Callable[[Sequence[Row]], None]:
    """Draw the history after an epoch, the last one always, else not so often that it costs more than a little."""
    drawn = -math.inf

    def draw(rows: Sequence[Row]) -> None:
        nonlocal drawn
        is_time = time.monotonic() - drawn > _SECONDS_BETWEEN_CURVES or len(rows) == job.config.training.epochs
        if is_time and job.processes.is_first:
            save_figure(training_figure(rows, title=job.title), job.directory.curves)
            drawn = time.monotonic()

    return draw


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
