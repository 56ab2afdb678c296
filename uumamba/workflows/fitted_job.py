"""A training job made to fit its machine, before it begins or as it began."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from uumamba.core.errors import ConfigError
from uumamba.core.files import read_json
from uumamba.core.log import log
from uumamba.data.plan import Plan
from uumamba.training.cluster import Fabric
from uumamba.training.concessions import Choice
from uumamba.training.fitted_run import FittedRun, fit_run
from uumamba.workflows.training_job import Job, build_data, build_training

_FITTED = "fitted"
"""The run record's key."""


def fit_job(job: Job, fabric: Fabric) -> tuple[Job, FittedRun | None]:
    """The job as large as this machine's memory allows, and what was found out.

    Nothing is measured with `hardware.fit` off, or where several processes train together. Raises `ConfigError` if
    nothing fits.
    """
    config = job.config
    if not config.hardware.fit:
        return job, None
    if job.processes.count > 1:
        if config.hardware.memory_gb is not None:
            raise ConfigError(
                f"hardware.memory_gb {config.hardware.memory_gb:g}: cannot be kept by {job.processes.count} processes; "
                "leave it out, and choose plan.batch_size and hardware.checkpoint_stages"
            )
        log.info("several processes train together, so nothing is measured: the run is taken as asked")
        return job, None

    def replan(patch: tuple[int, ...]) -> Plan:
        wishes = config.plan.model_copy(update={"patch_size": patch})
        return config.model_copy(update={"plan": wishes}).adapt(job.planned)

    fitted = fit_run(
        _asked(job),
        training=config.training,
        hardware=config.hardware,
        rule=config.rule.build(),
        build=lambda choice: build_training(with_choice(job, choice), fabric).step,
        replan=replan,
        draw=lambda choice: build_data(_alone(with_choice(job, choice))).training.epoch(0),
    )
    return with_choice(job, fitted.choice), fitted


def refit_job(job: Job) -> tuple[Job, FittedRun | None]:
    """The job as it was made to fit when the run began, if the same is asked for; the memory now does not count."""
    record: Mapping[str, Any] = read_json(job.directory.record)
    if record.get(_FITTED) is None:
        return job, None
    fitted = FittedRun.model_validate(record[_FITTED])
    asked = _asked(job)
    is_same = any(
        asked.plan == known.plan and asked.accumulate == known.accumulate for known in (fitted.asked, fitted.choice)
    )
    return (with_choice(job, fitted.choice) if is_same else job), fitted


def _asked(job: Job) -> Choice:
    config = job.config
    return Choice(
        plan=job.plan,
        accumulate=config.training.accumulate,
        checkpoint_stages=tuple(sorted(set(config.hardware.checkpoint_stages))),
    )


def with_choice(job: Job, choice: Choice) -> Job:
    """The job with a choice in its plan and in its configuration, so that this configuration alone repeats it."""
    if choice == _asked(job):
        return job
    config, plan = job.config, choice.plan
    changes = {
        "plan": config.plan.model_copy(update={"patch_size": plan.patch_size, "batch_size": plan.batch_size}),
        "training": config.training.model_copy(update={"accumulate": choice.accumulate}),
        "hardware": config.hardware.model_copy(update={"checkpoint_stages": choice.checkpoint_stages}),
    }
    return replace(job, plan=plan, config=config.model_copy(update=changes))


def _alone(job: Job) -> Job:
    """The job with its batches drawn in this process."""
    hardware = job.config.hardware.model_copy(update={"workers": 0})
    return replace(job, config=job.config.model_copy(update={"hardware": hardware}))
