"""uumamba train: one fold of one configuration, from a work folder to a bundle."""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from uumamba.config import RunConfig, dump_config
from uumamba.core.files import hash_json, write_json, write_text
from uumamba.core.log import log, log_to
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
from uumamba.inference.bundle import BundleDescription, TrainingRecord, topology_of, write_bundle
from uumamba.reporting.curves import training_figure
from uumamba.reporting.style import save_figure
from uumamba.scan import resolve_backend
from uumamba.training.history import Row
from uumamba.training.loop import Training, fit, resume
from uumamba.training.random_state import seed_process
from uumamba.training.record import describe_machine, describe_program, peak_memory_gb
from uumamba.training.run_directory import RunDirectory
from uumamba.training.setup import set_up
from uumamba.training.validation import validate_volumes

_SECONDS_BETWEEN_CURVES = 60.0


def train(
    dataset_name: str, work: Path, name: str, config: RunConfig, *, fold: str, resume_run: bool, overwrite: bool
) -> RunDirectory:
    """Train and validate one fold; returns the run's folder, which then holds the bundle.

    Raises `InputError` if the data set is not preprocessed, if the run is there already, or if there is nothing to resume.
    """
    dataset = find_dataset(dataset_name)
    folder = WorkFolder(work / dataset.name)
    plan = config.plan.adapt(folder.read_plan(config.plan.configuration))
    cases = folder.read_fold(fold)
    store = folder.store(plan.configuration)
    directory = RunDirectory(folder.run(name, fold))
    directory.prepare(resume=resume_run, overwrite=overwrite)
    started = time.perf_counter()

    with log_to(directory.log):
        device = config.hardware.resolve_device()
        training = _build(config, plan, device)
        record = _begin_record(config, plan, folder, cases, fold, training, device)
        write_text(directory.config, dump_config(config))
        write_json(directory.record, record)
        if resume_run:
            resume(training, directory)
        workers = config.hardware.resolve_workers(device)
        fit(
            training,
            config.rule.build(),
            config.training,
            batches=_training_batches(config, plan, dataset, store, cases, workers),
            validation=_validation_batches(config, plan, store, cases) if cases.validation else None,
            labels=plan.labels,
            directory=directory,
            on_epoch=_draw_curves(directory, name),
        )
        scores = _validate(training, store, cases, plan, device, directory)
        _write_bundle(directory, training, config, plan, dataset, record, scores)
        finished = {"seconds": round(time.perf_counter() - started, 1), "peak_memory_gb": round(peak_memory_gb(device), 3), "scores": scores}
        write_json(directory.record, record | {"finished": finished})
        log.info("done in %.0f s, peak memory %.2f GB: %s", finished["seconds"], finished["peak_memory_gb"], directory.bundle)
    return directory


def _build(config: RunConfig, plan: Plan, device: torch.device) -> Training:
    """Network, loss and optimizer on their device, seeded."""
    if config.hardware.threads is not None:
        torch.set_num_threads(config.hardware.threads)
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    seed_process(derive_seed(config.seed, "weights"))
    deep_supervision = config.training.deep_supervision
    network = config.network.build(
        topology_of(plan), input_channels=len(plan.channels), classes=plan.labels.classes, deep_supervision=deep_supervision
    )
    levels = len(_target_strides(config, plan))
    loss = config.loss.build(labels=plan.labels, batch_dice=plan.batch_dice, levels=levels)
    return set_up(
        network, loss, config.optimizer.build, device=device, precision=config.hardware.resolve_precision(device),
        clip_norm=config.training.clip_norm, skip_limit=config.training.skip_limit,
    )  # fmt: skip


def _training_batches(
    config: RunConfig, plan: Plan, dataset: Dataset, store: PreprocessedStore, cases: Fold, workers: int
) -> PatchLoader:
    augmentation = config.augmentation.build(patch_size=plan.patch_size, mirror_axes=plan.patch_axes(dataset.mirrored_axes))
    patches = PatchDataset(
        store, cases.training, patch_size=plan.patch_size, target_strides=_target_strides(config, plan), seed=config.seed,
        augmentation=augmentation, masked_channels=_masked_channels(plan),
    )  # fmt: skip
    return build_loader(
        patches, batch_size=plan.batch_size, iterations=config.training.iterations * config.training.accumulate,
        foreground_fraction=config.training.foreground_fraction, workers=workers, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip


def _validation_batches(config: RunConfig, plan: Plan, store: PreprocessedStore, cases: Fold) -> PatchLoader:
    patches = PatchDataset(
        store, cases.validation, patch_size=plan.patch_size, target_strides=_target_strides(config, plan)[:1], seed=config.seed,
        stream="validation", masked_channels=_masked_channels(plan),
    )  # fmt: skip
    return build_loader(
        patches, batch_size=plan.batch_size, iterations=config.training.validation_iterations,
        foreground_fraction=config.training.foreground_fraction,
    )  # fmt: skip


def _target_strides(config: RunConfig, plan: Plan) -> tuple[tuple[int, ...], ...]:
    strides = target_strides(plan.strides)
    return strides if config.training.deep_supervision else strides[:1]


def _masked_channels(plan: Plan) -> list[int]:
    return [number for number, channel in enumerate(plan.channels) if channel.mask_for_normalization]


def _begin_record(
    config: RunConfig, plan: Plan, folder: WorkFolder, cases: Fold, fold: str, training: Training, device: torch.device
) -> dict[str, Any]:
    """The run record, and the log's line on what is in use."""
    precision = training.step.precision
    backend = resolve_backend(config.network.scan_backend, device=device)
    parameters = sum(parameter.numel() for parameter in training.network.parameters())
    log.info(
        "%s, %s, fold %s: %.2f M parameters, patch %s, batch %d; scan %s, precision %s, %s with %d threads, seed %d",
        plan.dataset, plan.configuration, fold, parameters / 1e6, "x".join(map(str, plan.patch_size)), plan.batch_size,
        backend, precision, device, torch.get_num_threads(), config.seed,
    )  # fmt: skip
    return {
        **describe_program(),
        **describe_machine(device),
        "precision": precision,
        "scan_backend": backend,
        "seed": config.seed,
        "deterministic": config.deterministic,
        "parameters": parameters,
        "fold": fold,
        "split": cases.model_dump(mode="json"),
        "split_hash": hash_json(cases.model_dump(mode="json")),
        "data_hash": folder.store(plan.configuration).content_hash(cases.training + cases.validation),
        "plan": plan.model_dump(mode="json"),
        "configuration": config.model_dump(mode="json"),
    }


def _draw_curves(directory: RunDirectory, name: str) -> Callable[[Sequence[Row]], None]:
    """Draw the history after an epoch, but not so often that drawing costs more than a little of the run."""
    drawn = -math.inf

    def draw(rows: Sequence[Row]) -> None:
        nonlocal drawn
        if time.monotonic() - drawn > _SECONDS_BETWEEN_CURVES:
            save_figure(training_figure(rows, title=name), directory.curves)
            drawn = time.monotonic()

    return draw


def _validate(
    training: Training, store: PreprocessedStore, cases: Fold, plan: Plan, device: torch.device, directory: RunDirectory
) -> dict[str, float | None]:
    """Mean Dice of whole validation volumes per structure; the cases go into a table."""
    save_figure(training_figure(training.history, title=directory.path.parent.name), directory.curves)
    if not cases.validation:
        return {}
    scores = validate_volumes(training.network, store, cases.validation, plan, device)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["case", *plan.labels.structures])
    writer.writerows([case, *row.values()] for case, row in scores.items())
    write_text(directory.validation, text.getvalue())
    means: dict[str, float | None] = {}
    for structure in plan.labels.structures:
        values = [value for row in scores.values() if (value := row[structure]) is not None]
        means[structure] = math.fsum(values) / len(values) if values else None
    log.info("whole validation volumes, mean Dice: %s", ", ".join(f"{name} {value}" if value is None else f"{name} {value:.4f}" for name, value in means.items()))
    return means


def _write_bundle(
    directory: RunDirectory, training: Training, config: RunConfig, plan: Plan, dataset: Dataset, record: dict[str, Any],
    scores: dict[str, float | None],
) -> None:  # fmt: skip
    description = BundleDescription(
        plan=plan,
        network=config.network,
        mirrored_axes=dataset.mirrored_axes,
        preprocessing={"resampling": "nnU-Net", "orientation": "canonical"},
        training=TrainingRecord(
            seed=config.seed, epochs=config.training.epochs, fold=record["fold"], scores=scores,
            cases=record["split"]["training"], case_hashes={"all": record["data_hash"]}, configuration=record["configuration"],
        ),
        versions=installed_versions(),
        licence=dataset.licence,
        citation=dataset.citation,
    )  # fmt: skip
    write_bundle(directory.bundle, state=training.network.state_dict(), description=description)
