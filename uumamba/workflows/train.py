"""uumamba train: folds of one configuration, from a work folder to bundles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from uumamba.config import RunConfig, dump_config
from uumamba.core.errors import InputError, Interrupted, UumambaError
from uumamba.core.files import write_json, write_text
from uumamba.core.interruption import Interruption
from uumamba.core.log import log, log_to, silent
from uumamba.core.processes import find_processes
from uumamba.data.fold_names import parse_folds
from uumamba.data.work_folder import work_folder_of
from uumamba.inference.bundle import Bundle, read_bundle
from uumamba.training.cluster import Fabric, connected
from uumamba.training.fitted_run import FittedRun
from uumamba.training.loop import fit
from uumamba.training.run_directory import RunDirectory
from uumamba.training.safekeeping import Safekeeping, resume
from uumamba.training.state import Training
from uumamba.training.tensorboard import require_tensorboard
from uumamba.workflows.cross_validation import summarise_folds
from uumamba.workflows.fitted_job import fit_job, refit_job, with_choice
from uumamba.workflows.roi import coarse_job, judged, require_same_coarse_run
from uumamba.workflows.training_job import (
    Job,
    build_average,
    build_data,
    build_recipe,
    build_training,
    find_job,
    start_from_bundle,
)
from uumamba.workflows.training_record import describe_job, log_description, require_same_run
from uumamba.workflows.training_result import finish
from uumamba.workflows.training_watch import watch


@dataclass(frozen=True)
class Start:
    """How runs begin: anew, from the weights of the bundle `init`, where a run stopped, or in the place of a run."""

    resume: bool = False
    overwrite: bool = False
    init: Path | None = None


ANEW = Start()


@dataclass(frozen=True)
class _Session:
    """What all folds that one command trains share; `fitted` is what the one before found out of the machine."""

    fabric: Fabric
    interruption: Interruption
    start: Start
    bundle: Bundle | None
    is_one_of_many: bool
    fitted: FittedRun | None = None


def chosen_folds(dataset_name: str, work: Path, *, fold: str | None, folds: str | None) -> tuple[str, ...]:
    """The folds that the options name: `folds` ("0-4", "0,2"), or one `fold` ("0", "all"), or fold 0."""
    if folds is None:
        return (fold or "0",)
    if fold is not None:
        raise InputError("--fold and --folds: give one of them")
    folder = work_folder_of(work, dataset_name)
    return parse_folds(folds, count=len(folder.read_folds()))


def train(
    dataset_name: str,
    work: Path,
    name: str,
    config: RunConfig,
    *,
    folds: Sequence[str] = ("0",),
    start: Start = ANEW,
) -> list[RunDirectory]:
    """Train and validate folds one after the other; each run's folder then holds its bundle. Summarises several.

    To resume several is to go on with the one that was stopped and to train those that never began. Under torchrun or
    srun all processes call this together. Raises `InputError` if the data set is not preprocessed, if a run is there
    already or being trained, if there is nothing to resume, or if a resumed run began with other settings or data;
    `Interrupted`, with all kept, if a signal asked to stop.
    """
    if config.training.tensorboard:
        require_tensorboard()
    processes = find_processes()
    jobs = [find_job(dataset_name, work, name, config, fold, processes) for fold in folds]
    begun = [start.resume and (len(jobs) == 1 or job.directory.has_begun) for job in jobs]
    if start.resume and not any(begun):
        raise InputError(f"{jobs[0].directory.path.parent}: nothing to resume in these folds; start without --resume")
    for job, resumes in zip(jobs, begun, strict=True):
        job.directory.check(resume=resumes, overwrite=start.overwrite)
    bundle = None if start.init is None else read_bundle(start.init)
    with (
        Interruption().heard() as interruption,
        connected(processes, jobs[0].device) as fabric,
        silent(unless=processes.is_first),
    ):
        session = _Session(fabric, interruption, start, bundle, is_one_of_many=len(jobs) > 1)
        for job, resumes in zip(jobs, begun, strict=True):
            session = replace(session, fitted=_train_fold(job, session, resumes=resumes))
        if len(jobs) > 1 and processes.is_first:
            _summarise(jobs)
    return [job.directory for job in jobs]


def _summarise(jobs: Sequence[Job]) -> None:
    folder = jobs[0].folder
    runs = jobs[0].directory.path.parent
    summarise_folds(runs, len(folder.read_folds()))


def _train_fold(job: Job, session: _Session, *, resumes: bool) -> FittedRun | None:
    """Train one fold, or what it lacks; gives what was found out of the machine."""
    with job.directory.locked(job.processes, resume=resumes, overwrite=session.start.overwrite):
        if resumes and job.directory.last.is_file():
            # Before a coarse network takes the place of what began without one.
            require_same_run(refit_job(job)[0], session.bundle)
        elif resumes:
            require_same_coarse_run(job)
        if job.config.inference.roi is not None:
            job = _with_roi(job, session, resumes=resumes)
            resumes = resumes and job.directory.last.is_file()
        return _train_network(job, session, resumes=resumes)


def _with_roi(job: Job, session: _Session, *, resumes: bool) -> Job:
    """The job with the coarse network that finds its region of interest, which is trained first if it is not yet."""
    coarse = coarse_job(job)
    resumes_coarse = resumes and coarse.directory.last.is_file()
    if not resumes_coarse:
        # What is wrong with the other network's settings shall show now, not in the end.
        _prepare(job, session, {}, resumes=False)
        job.processes.wait()
        if job.processes.is_first:
            job.directory.begin()
            write_text(job.directory.config, dump_config(job.config))
    if resumes_coarse and coarse.directory.region.is_file():
        require_same_run(refit_job(coarse)[0], None)
    else:
        _train_network(coarse, replace(session, bundle=None, fitted=None), resumes=resumes_coarse)
    return replace(job, roi=judged(coarse, job))


def _train_network(job: Job, session: _Session, *, resumes: bool) -> FittedRun | None:
    """Train one network of a fold, or what it lacks; gives what was found out of the machine."""
    directory, has_begun = job.directory, resumes
    try:
        job, fitted = _fit(job, session, resumes=resumes)
        kept = require_same_run(job, session.bundle) if resumes else {}
        if resumes and session.is_one_of_many and directory.is_finished:
            log.info("finished already: %s", directory.path)
        else:
            session = replace(session, fitted=fitted)
            training, record = _prepare(job, session, kept, resumes=resumes)
            has_begun = True
            _train(job, training, record, session, resumes=resumes)
    except Interrupted as error:
        # Before it has begun, a checkpoint that is there is that of the run to be replaced.
        is_kept = has_begun and directory.last.is_file()
        advice = "go on with --resume" if is_kept else "nothing is trained yet: start it again"
        raise Interrupted(f"{directory.path}: {error}; {advice}") from None
    return fitted


def _fit(job: Job, session: _Session, *, resumes: bool) -> tuple[Job, FittedRun | None]:
    """A resumed run is as large as it began, a fold as large as the one before it, any other as the memory allows."""
    if resumes:
        return refit_job(job)
    if session.fitted is None:
        return fit_job(job, session.fabric)
    return with_choice(job, session.fitted.choice), session.fitted


def _prepare(job: Job, session: _Session, kept: dict[str, Any], *, resumes: bool) -> tuple[Training, dict[str, Any]]:
    """The training as it begins and its record, with what is `kept` of the record before; nothing is written."""
    training = build_training(job, session.fabric)
    if session.bundle is not None and not resumes:
        kept = kept | {"init": start_from_bundle(job, training, session.bundle)}
    training.average = build_average(job, training)
    return training, describe_job(job, training, session.fitted) | kept


def _train(job: Job, training: Training, record: dict[str, Any], session: _Session, *, resumes: bool) -> None:
    # Only now, when all settings and cases are known to be good, may an older run be replaced.
    job.processes.wait()
    if job.processes.is_first and not resumes:
        job.directory.begin(keep_roi=job.roi is not None)
    with log_to(job.directory.log if job.processes.is_first else None):
        log_description(job, record)
        if session.fitted is not None and not resumes:
            for sentence in session.fitted.sentences():
                log.info("%s", sentence)
        if job.processes.is_first:
            write_text(job.directory.config, dump_config(job.config))
            write_json(job.directory.record, record)
        try:
            if resumes:
                resume(training, job.directory)
            _run(job, training, session.interruption)
            finish(job, training, record)
        except (UumambaError, KeyboardInterrupt) as error:
            log.info("%s; the last checkpoint is %s", str(error) or "stopped at once", job.directory.last)
            raise


def _run(job: Job, training: Training, interruption: Interruption) -> None:
    minutes = job.config.training.checkpoint_minutes
    safekeeping = Safekeeping(training, job.directory, interruption, minutes=minutes)
    with interruption.deferred(), watch(job, training) as after_epoch:
        # From its first step on the run can be resumed.
        safekeeping.save(best=training.is_at_best)
        fit(training, build_recipe(job.config), build_data(job), safekeeping, on_epoch=after_epoch)
        if training.epoch < job.config.training.epochs and job.processes.is_first:
            after_epoch.draw_curves(training.history)  # stopped early, so the last epoch was not known to be it
        # A signal that came since the last step.
        safekeeping.between_steps()
