"""uumamba train: one fold of one configuration, from a work folder to a bundle."""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from uumamba.config import RunConfig, dump_config
from uumamba.core.errors import ConfigError, InputError
from uumamba.core.files import read_json, write_json, write_text
from uumamba.core.log import log, log_to
from uumamba.core.machine import describe_run, peak_memory_gb
from uumamba.core.seeding import derive_seed
from uumamba.core.versions import installed_versions
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.table import find_dataset
from uumamba.data.loader import PatchDataset, PatchLoader, build_loader
from uumamba.data.patches import target_strides
from uumamba.data.plan import Plan
from uumamba.data.splits import Fold
from uumamba.data.store import PreprocessedStore
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.bundle import BundleDescription, TrainingRecord, write_bundle
from uumamba.inference.network import network_of
from uumamba.reporting.curves import training_figure
from uumamba.reporting.style import save_figure
from uumamba.scan import resolve_backend
from uumamba.training.history import Row
from uumamba.training.loop import Training, fit, resume
from uumamba.training.run_directory import RunDirectory
from uumamba.training.setup import set_up
from uumamba.training.validation import validate_volumes

_SECONDS_BETWEEN_CURVES = 60.0
_MAY_CHANGE_ON_RESUME = ("hardware",)


@dataclass(frozen=True)
class _Job:
    """What is trained, on which cases, where, and with which settings."""

    config: RunConfig
    dataset: Dataset
    plan: Plan
    store: PreprocessedStore
    fold: str
    cases: Fold
    directory: RunDirectory
    device: torch.device


def train(
    dataset_name: str, work: Path, name: str, config: RunConfig, *, fold: str, resume_run: bool, overwrite: bool
) -> RunDirectory:
    """Train and validate one fold; returns the run's folder, which then holds the bundle.

    Raises `InputError` if the data set is not preprocessed, if the run is there already, if there is nothing to resume,
    or if a resumed run began with other settings or data.
    """
    dataset = find_dataset(dataset_name)
    folder = WorkFolder(work / dataset.name)
    plan = config.plan.adapt(folder.read_plan(config.plan.configuration))
    job = _Job(
        config=config,
        dataset=dataset,
        plan=plan,
        store=folder.store(plan.configuration),
        fold=fold,
        cases=folder.read_fold(fold),
        directory=RunDirectory(folder.run(name, fold)),
        device=config.hardware.resolve_device(),
    )
    job.directory.check(resume=resume_run, overwrite=overwrite)
    training = _build(job)
    record = _describe(job, training)
    # Only now, when all settings and cases are known to be good, may an older run be replaced.
    if resume_run:
        _require_same_run(job, record)
    else:
        job.directory.begin()
    with log_to(job.directory.log):
        _log_description(job, record)
        if resume_run:
            resume(training, job.directory)
        _run(job, training, record)
    return job.directory


def _run(job: _Job, training: Training, record: dict[str, Any]) -> None:
    started = time.perf_counter()
    write_text(job.directory.config, dump_config(job.config))
    write_json(job.directory.record, record)
    fit(
        training,
        job.config.rule.build(),
        job.config.training,
        batches=_training_batches(job),
        validation=_validation_batches(job) if job.cases.validation else None,
        labels=job.plan.labels,
        directory=job.directory,
        on_epoch=_draw_curves(job),
    )
    # Before the validation, which may take long: whoever stops it has the model all the same.
    _write_bundle(job, training, record, scores={})
    scores: dict[str, float | None] = {}
    if job.cases.validation:
        scores = _validate_volumes(job, training)
        _write_bundle(job, training, record, scores)
    seconds, memory = time.perf_counter() - started, peak_memory_gb(job.device)
    finished = {"seconds": round(seconds, 1), "peak_memory_gb": memory, "scores": scores}
    write_json(job.directory.record, record | {"finished": finished})
    log.info("done in %.0f s, peak memory %s GB: %s", seconds, memory, job.directory.bundle)


def _build(job: _Job) -> Training:
    """Network, loss and optimizer on their device, seeded."""
    config, plan = job.config, job.plan
    if config.hardware.threads is not None:
        torch.set_num_threads(config.hardware.threads)
    if config.deterministic and job.device.type != "cpu":
        raise ConfigError("deterministic: true is offered on the CPU alone so far; add --set hardware.device=cpu")
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    torch.manual_seed(derive_seed(config.seed, "weights"))
    return set_up(
        network_of(
            plan,
            config.network,
            deep_supervision=config.training.deep_supervision,
            scan_backend=config.hardware.scan_backend,
            checkpoint_stages=config.hardware.checkpoint_stages,
        ),
        config.loss.build(labels=plan.labels, batch_dice=plan.batch_dice, levels=len(_target_strides(job))),
        config.optimizer.build,
        device=job.device,
        precision=config.hardware.resolve_precision(job.device),
        clip_norm=config.training.clip_norm,
        skip_limit=config.training.skip_limit,
    )


def _training_batches(job: _Job) -> PatchLoader:
    mirror_axes = job.plan.patch_axes(job.dataset.mirrored_axes)
    patches = PatchDataset(
        job.store,
        job.cases.training,
        patch_size=job.plan.patch_size,
        target_strides=_target_strides(job),
        seed=job.config.seed,
        augmentation=job.config.augmentation.build(patch_size=job.plan.patch_size, mirror_axes=mirror_axes),
        masked_channels=_masked_channels(job.plan),
    )
    return build_loader(
        patches,
        batch_size=job.plan.batch_size,
        iterations=job.config.training.iterations * job.config.training.accumulate,
        foreground_fraction=job.config.training.foreground_fraction,
        workers=job.config.hardware.resolve_workers(job.device),
        pin_memory=job.device.type == "cuda",
    )


def _validation_batches(job: _Job) -> PatchLoader:
    patches = PatchDataset(
        job.store,
        job.cases.validation,
        patch_size=job.plan.patch_size,
        target_strides=_target_strides(job)[:1],
        seed=job.config.seed,
        stream="validation",
        masked_channels=_masked_channels(job.plan),
    )
    return build_loader(
        patches,
        batch_size=job.plan.batch_size,
        iterations=job.config.training.validation_iterations,
        foreground_fraction=job.config.training.foreground_fraction,
    )


def _target_strides(job: _Job) -> tuple[tuple[int, ...], ...]:
    strides = target_strides(job.plan.topology.strides)
    return strides if job.config.training.deep_supervision else strides[:1]


def _masked_channels(plan: Plan) -> list[int]:
    return [number for number, channel in enumerate(plan.channels) if channel.mask_for_normalization]


def _describe(job: _Job, training: Training) -> dict[str, Any]:
    """The run record."""
    return {
        **describe_run(job.device),
        "precision": training.step.precision,
        "scan_backend": resolve_backend(job.config.hardware.scan_backend, device=job.device),
        "seed": job.config.seed,
        "parameters": sum(parameter.numel() for parameter in training.network.parameters()),
        "fold": job.fold,
        "split": job.cases.model_dump(mode="json"),
        "data_hash": job.store.content_hash(job.cases.training + job.cases.validation),
        "plan": job.plan.model_dump(mode="json"),
        "configuration": job.config.model_dump(mode="json"),
    }


def _log_description(job: _Job, record: dict[str, Any]) -> None:
    plan = job.plan
    patch = "x".join(map(str, plan.patch_size))
    network = f"{record['parameters'] / 1e6:.2f} M parameters, patch {patch}, batch {plan.batch_size}"
    log.info("%s, %s, fold %s: %s", plan.dataset, plan.configuration, job.fold, network)
    machine = (
        f"scan {record['scan_backend']}, precision {record['precision']}, {job.device}, {record['threads']} threads"
    )
    log.info("%s, seed %d%s", machine, job.config.seed, ", deterministic" if job.config.deterministic else "")


def _require_same_run(job: _Job, record: dict[str, Any]) -> None:
    """A resumed run must go on as it began: the same settings (but for the machine's), plan, split and data."""
    before = read_json(job.directory.record)
    old, new = before["configuration"], record["configuration"]
    changed = [name for name in new if name not in _MAY_CHANGE_ON_RESUME and old.get(name) != new[name]]
    changed += [name for name in ("precision", "plan", "split", "data_hash") if before[name] != record[name]]
    if changed:
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as {', '.join(changed)} changed since it began; "
            f"resume with --config {job.directory.config} --name {job.directory.path.parent.name}, or begin anew with "
            "--overwrite"
        )


def _draw_curves(job: _Job) -> Callable[[Sequence[Row]], None]:
    """Draw the history after an epoch, the last one always, else not so often that it costs more than a little."""
    drawn = -math.inf

    def draw(rows: Sequence[Row]) -> None:
        nonlocal drawn
        if time.monotonic() - drawn > _SECONDS_BETWEEN_CURVES or len(rows) == job.config.training.epochs:
            title = f"{job.directory.path.parent.name}, fold {job.fold}"
            save_figure(training_figure(rows, title=title), job.directory.curves)
            drawn = time.monotonic()

    return draw


def _validate_volumes(job: _Job, training: Training) -> dict[str, float | None]:
    """Mean Dice of whole validation volumes per structure; the cases go into a table."""
    structures = job.plan.labels.structures
    scores = validate_volumes(training.network, job.store, job.cases.validation, job.plan, job.device)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["case", *structures], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"case": case, **row} for case, row in scores.items())
    write_text(job.directory.validation, text.getvalue())
    means: dict[str, float | None] = {}
    for structure in structures:
        values = [value for row in scores.values() if (value := row[structure]) is not None]
        means[structure] = math.fsum(values) / len(values) if values else None
    shown = (f"{name} {'none' if value is None else format(value, '.4f')}" for name, value in means.items())
    log.info("mean Dice of %d whole validation volumes: %s", len(scores), ", ".join(shown))
    return means


def _write_bundle(job: _Job, training: Training, record: dict[str, Any], scores: dict[str, float | None]) -> None:
    description = BundleDescription(
        plan=job.plan,
        network=job.config.network,
        mirrored_axes=job.dataset.mirrored_axes,
        training=TrainingRecord(
            seed=job.config.seed,
            epochs=job.config.training.epochs,
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
