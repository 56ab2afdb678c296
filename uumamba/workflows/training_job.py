"""What one run of `uumamba train` trains, on which cases and where, and how that is put together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from uumamba.config import RunConfig
from uumamba.core.errors import ConfigError
from uumamba.core.processes import BatchSum, Processes
from uumamba.core.seeding import derive_seed
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.loader import build_loader, level_strides, patches_of
from uumamba.data.plan import Plan
from uumamba.data.splits import Fold
from uumamba.data.store import PreprocessedStore
from uumamba.data.work_folder import WorkFolder, work_folder_of
from uumamba.inference.bundle import Bundle
from uumamba.inference.fine_tuning import start_from
from uumamba.inference.network import network_of
from uumamba.inference.roi import RoiDescription
from uumamba.optim.weight_average import WeightAverage
from uumamba.training.cluster import Fabric, device_of
from uumamba.training.loop import Recipe, TrainingData
from uumamba.training.run_directory import RunDirectory
from uumamba.training.setup import set_up
from uumamba.training.state import Training


@dataclass(frozen=True)
class CoarseNetwork:
    """A trained coarse network that finds the region of interest: its own run's bundle, and what was found of it."""

    bundle: Bundle
    description: RoiDescription


@dataclass(frozen=True)
class Job:
    """One fold of one configuration, in one of the processes that train it.

    `planned` is the planner's plan, `plan` the one that is trained: with the run's wishes, and as it fits the machine.
    With `roi` the bundle will look in the region that this coarse network finds.
    """

    config: RunConfig
    folder: WorkFolder
    dataset: DatasetDescription
    planned: Plan
    plan: Plan
    store: PreprocessedStore
    fold: str
    cases: Fold
    directory: RunDirectory
    device: torch.device
    processes: Processes
    roi: CoarseNetwork | None = None

    @property
    def title(self) -> str:
        """The run's name for pictures."""
        run = self.directory.whole
        part = "" if run is self.directory else ", region of interest"
        return f"{run.path.parent.name}, fold {self.fold}{part}"


def find_job(dataset_name: str, work: Path, name: str, config: RunConfig, fold: str, processes: Processes) -> Job:
    """Everything that must be there before a run may begin; raises `InputError` if it is not."""
    folder = work_folder_of(work, dataset_name)
    dataset = folder.read_description()
    planned = folder.read_plan(config.plan.configuration)
    cases = folder.read_fold(fold)
    if not cases.validation and (config.training.patience is not None or config.training.bundle == "best"):
        raise ConfigError(
            f"--fold {fold}: holds no case out, so no epoch is the best; leave out training.patience and "
            "training.bundle=best, or name a fold"
        )
    plan = config.adapt(planned)
    return Job(
        config=config,
        folder=folder,
        dataset=dataset,
        planned=planned,
        plan=plan,
        store=folder.store(plan.configuration),
        fold=fold,
        cases=cases,
        directory=RunDirectory(folder.run(name, fold)),
        device=device_of(processes, config.hardware.resolve_device()),
        processes=processes,
    )


def build_training(job: Job, fabric: Fabric) -> Training:
    """Network, loss and optimizer on their device, seeded."""
    config, plan = job.config, job.plan
    if config.hardware.threads is not None:
        torch.set_num_threads(config.hardware.threads)
    if config.deterministic and job.device.type != "cpu":
        raise ConfigError("deterministic: true is offered on the CPU alone so far; add --set hardware.device=cpu")
    torch.use_deterministic_algorithms(config.deterministic)
    torch.backends.cudnn.benchmark = not config.deterministic
    torch.manual_seed(derive_seed(config.seed, "weights"))
    network = network_of(
        plan,
        config.network,
        deep_supervision=config.training.deep_supervision,
        scan_backend=config.hardware.scan_backend,
        checkpoint_stages=config.hardware.checkpoint_stages,
    )
    batch_sum = BatchSum(job.processes)
    levels = len(level_strides(plan, deep_supervision=config.training.deep_supervision))
    return set_up(
        fabric,
        network,
        config.loss.build(labels=plan.labels, batch_dice=plan.batch_dice, levels=levels, batch_total=batch_sum),
        config.optimizer.build,
        batch_sum=batch_sum,
        precision=config.hardware.resolve_precision(job.device),
        clip_norm=config.training.clip_norm,
        skip_limit=config.training.skip_limit,
    )


def start_from_bundle(job: Job, training: Training, bundle: Bundle) -> dict[str, Any]:
    """Take a bundle's weights to begin with; gives what the run record says of it."""
    differences = start_from(training.network, bundle, plan=job.plan, settings=job.config.network)
    return {"bundle": str(bundle.path), "sha256": bundle.sha256, "differences": differences}


def build_average(job: Job, training: Training) -> WeightAverage | None:
    """The moving average of the weights as they are now, if the run keeps one."""
    decay = job.config.training.average_decay
    return None if decay is None else WeightAverage(training.network, decay)


def build_recipe(config: RunConfig) -> Recipe:
    """Rule and schedule of a run."""
    settings = config.training
    schedule = config.schedule.build(epochs=settings.epochs, iterations=settings.iterations)
    return Recipe(config.rule.build(), schedule, settings)


def build_data(job: Job) -> TrainingData:
    """This process's share of the patches to train on and to validate with."""
    config, processes = job.config, job.processes
    mirror_axes = job.plan.patch_axes(job.dataset.mirrored_axes)
    training = patches_of(
        job.store,
        job.plan,
        job.cases.training,
        deep_supervision=config.training.deep_supervision,
        seed=config.seed,
        augmentation=config.augmentation.build(patch_size=job.plan.patch_size, mirror_axes=mirror_axes),
    )
    shared: dict[str, Any] = {
        "batch_size": job.plan.batch_size,
        "foreground_fraction": config.training.foreground_fraction,
        "rank": processes.rank,
        "ranks": processes.count,
    }
    training_batches = build_loader(
        training,
        iterations=config.training.iterations * config.training.accumulate,
        workers=config.hardware.resolve_workers(job.device),
        pin_memory=job.device.type == "cuda",
        **shared,
    )
    if not job.cases.validation:
        return TrainingData(training_batches, None, job.plan.labels)
    validation = patches_of(
        job.store, job.plan, job.cases.validation, deep_supervision=False, seed=config.seed, stream="validation"
    )
    validation_batches = build_loader(validation, iterations=config.training.validation_iterations, **shared)
    return TrainingData(training_batches, validation_batches, job.plan.labels)
