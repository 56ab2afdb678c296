"""The record of a training: what is trained, with what, on what; and whether a resumed run is still the same one."""

from typing import Any

import torch
from pydantic import ValidationError

from uumamba.config import RunConfig
from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.log import log
from uumamba.core.machine import describe_run
from uumamba.evaluation.settings_diff import nested_differences
from uumamba.inference.backends import backends_in_words, backends_of
from uumamba.inference.bundle import Bundle
from uumamba.training.fitted_run import FittedRun
from uumamba.training.state import Training
from uumamba.workflows.training_job import Job

_MAY_CHANGE_ON_RESUME = (
    "hardware",
    "training.checkpoint_minutes",
    "training.overlay_every",
    "training.tensorboard",
)


def describe_job(job: Job, training: Training, fitted: FittedRun | None) -> dict[str, Any]:
    """The run record."""
    return {
        **describe_run(job.device),
        "processes": job.processes.count,
        "launcher": job.processes.launcher,
        **backends_of([job.config.network], scan_backend=job.config.hardware.scan_backend, device=job.device),
        "seed": job.config.seed,
        "parameters": sum(parameter.numel() for parameter in training.network.parameters()),
        "fold": job.fold,
        "fitted": None if fitted is None else fitted.model_dump(mode="json"),
        "roi": None if job.roi is None else job.roi.description.model_dump(mode="json"),
        **_what_must_stay(job),
    }


def _what_must_stay(job: Job) -> dict[str, Any]:
    return {
        "precision": job.config.hardware.resolve_precision(job.device),
        "split": job.cases.model_dump(mode="json"),
        "data_hash": job.store.content_hash(job.cases.training + job.cases.validation),
        "plan": job.plan.model_dump(mode="json"),
        "configuration": job.config.model_dump(mode="json"),
    }


def _network(job: Job) -> str:
    """Its settings in short: "umamba encoder v1 unet"."""
    values = job.config.network.model_dump(mode="json").values()
    return " ".join(str(value["name"] if isinstance(value, dict) else value) for value in values)


def log_description(job: Job, record: dict[str, Any]) -> None:
    """Say what is about to be trained, and with what."""
    plan, count = job.plan, job.processes.count
    patch = "x".join(map(str, plan.patch_size))
    network = f"{_network(job)}, {record['parameters'] / 1e6:.2f} M parameters, patch {patch}, batch {plan.batch_size}"
    what = plan.configuration if job.directory.whole is job.directory else "coarse network"
    log.info("%s, %s, fold %s: %s", plan.dataset, what, job.fold, network)
    machine = f"{backends_in_words(record)}, precision {record['precision']}, {job.device}, {record['threads']} threads"
    together = f", {count} processes by {job.processes.launcher}" if count > 1 else ""
    log.info("%s%s, seed %d%s", machine, together, job.config.seed, ", deterministic" * job.config.deterministic)
    if job.roi is not None:
        log.info("region of interest: %s", job.roi.description.sentence)
    if "init" in record and "earlier_sessions" not in record:
        log.info("starting from %s", record["init"]["bundle"])
        for sentence in record["init"]["differences"]:
            log.info("  %s", sentence)
    if job.device.type == "cuda" and count == 1 and torch.cuda.device_count() > 1:
        log.info("%d GPUs here, one is used; docs/training.md says how to use all", torch.cuda.device_count())


def _completed(configuration: dict[str, Any]) -> dict[str, Any]:
    """A record's configuration with the settings that came later, as they are by default.

    One that no longer reads is left as it is: its differences are then named.
    """
    try:
        return RunConfig.model_validate(configuration).model_dump(mode="json")
    except ValidationError:
        return configuration


def require_same_run(job: Job, bundle: Bundle | None) -> dict[str, Any]:
    """A resumed run must go on as it began: the same settings (but for the machine's), plan, split and data.

    With a `bundle` it must have started from this one. Gives what the record keeps of the sessions before.
    """
    before, now = read_json(job.directory.record), _what_must_stay(job)
    changed = [
        *nested_differences(_completed(before["configuration"]), now.pop("configuration"), skip=_MAY_CHANGE_ON_RESUME)
    ]
    changed += [name for name, value in now.items() if before[name] != value]
    if bundle is not None and bundle.sha256 != before.get("init", {}).get("sha256"):
        began = before.get("init", {}).get("bundle", "no bundle")
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as it began from {began}, not from {bundle.path}; leave --init "
            "out"
        )
    if changed:
        run = job.directory.whole
        where = f"--work {job.folder.path.parent} --name {run.path.parent.name} --fold {job.fold}"
        precision = f" --set hardware.precision={before['precision']}" if "precision" in changed else ""
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as {', '.join(changed)} changed since it began; "
            f"resume with --config {run.config} {where}{precision}, or begin anew with --overwrite"
        )
    session = {key: before[key] for key in ("time", "device_name", "processes", "versions", "git")}
    kept = {"earlier_sessions": [*before.get("earlier_sessions", []), session]}
    return kept | ({"init": before["init"]} if "init" in before else {})
