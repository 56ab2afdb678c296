"""The coarse network of a fold: what is trained, on which cases, and how good the regions are that it finds."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from uumamba.config import RunConfig
from uumamba.core.errors import InputError, Interrupted
from uumamba.core.files import read_json, write_json
from uumamba.core.log import log, log_to
from uumamba.core.progress import track
from uumamba.core.settings import first_problem
from uumamba.core.statistics import mean_of_known
from uumamba.data.plan import Plan
from uumamba.inference.bundle import build_network, read_bundle
from uumamba.inference.region import Region, RegionFinder, search
from uumamba.inference.roi import STAGES, WIDEST, InferenceSettings, RoiDescription, RoiSettings
from uumamba.losses.segmentation import LossSettings
from uumamba.models.baselines import NnunetPlainSettings
from uumamba.optim.plain import PlainSettings
from uumamba.optim.schedules import PolySettings
from uumamba.training.adapted_plan import PlanSettings
from uumamba.training.validation import FindRegion
from uumamba.workflows.roi_cases import coarse_cases
from uumamba.workflows.training_job import CoarseNetwork, Job

_SHARE_OF_EPOCHS = 5


def coarse_job(job: Job) -> Job:
    """The training of the coarse network that `job` asks for, in the folder `roi` of its own; its cases are stored."""
    made, cases = coarse_cases(job.folder, job.config), job.cases.training + job.cases.validation
    made.complete(cases[job.processes.rank :: job.processes.count])
    job.processes.wait()
    config = coarse_config(job.config)
    return replace(
        job,
        config=config,
        planned=made.plan,
        plan=config.adapt(made.plan),
        store=made.store,
        directory=job.directory.roi,
    )


def coarse_config(config: RunConfig) -> RunConfig:
    """The settings of the coarse network's run: a plain U-Net with plain steps; the rest as in the whole run."""
    roi = config.inference.roi or RoiSettings()
    training = {
        "epochs": roi.epochs or max(1, round(config.training.epochs / _SHARE_OF_EPOCHS)),
        "accumulate": 1,
        "average_decay": None,
        "patience": None,
        "bundle": "last",
        "calibrate": False,
    }
    changes = {
        "planning": config.planning.model_copy(update={"configurations": ("3d_fullres",)}),
        "plan": PlanSettings(max_features=WIDEST * roi.base_features, max_stages=STAGES),
        "network": NnunetPlainSettings(),
        "loss": LossSettings(),
        "rule": PlainSettings(),
        "schedule": PolySettings(),
        "training": config.training.model_copy(update=training),
        "hardware": config.hardware.model_copy(update={"checkpoint_stages": ()}),
        "inference": InferenceSettings(),
    }
    return config.model_copy(update=changes)


def require_same_coarse_run(job: Job) -> None:
    """Raise `InputError` if `job` is to go on where its coarse network was trained, but asks for none."""
    if job.config.inference.roi is None:
        raise InputError(
            f"{job.directory.path}: cannot be resumed, as inference.roi was there when it began and its coarse "
            f"network was trained first; resume with --config {job.directory.config}, or begin anew with --overwrite"
        )


def region_search(roi: CoarseNetwork, plan: Plan, device: torch.device) -> FindRegion:
    """What finds the region in a case of `plan`."""
    finder = RegionFinder(build_network(roi.bundle), roi.description, device)
    return partial(search, [finder], patch_size=plan.patch_size)


def judged(coarse: Job, fine: Job) -> CoarseNetwork:
    """The trained coarse network, judged on the validation cases of `fine`; the file that says so is written once."""
    fine.processes.wait()
    bundle, roi = read_bundle(coarse.directory.path), fine.config.inference.roi or RoiSettings()
    network = CoarseNetwork(
        bundle,
        RoiDescription(
            plan=bundle.description.plan,
            network=bundle.description.network,
            margin_mm=roi.margin_mm,
            smallest_share=roi.smallest_share,
        ),
    )
    before = _known(coarse, network)
    if before is not None:
        return before
    try:
        found = _judge(network, fine)
    except Interrupted as error:
        raise Interrupted(f"{coarse.directory.path}: {error}; go on with --resume") from None
    description = network.description.model_copy(update=found)
    if fine.processes.is_first:
        write_json(coarse.directory.region, description.model_dump(mode="json"))
    with log_to(coarse.directory.log if fine.processes.is_first else None):
        log.info("region of interest: %s", description.sentence)
    return CoarseNetwork(bundle, description)


def _known(coarse: Job, network: CoarseNetwork) -> CoarseNetwork | None:
    """The network with what an earlier session found of it; None if it found nothing of such regions."""
    file = coarse.directory.region
    if not file.is_file():
        return None
    try:
        known = RoiDescription.model_validate(read_json(file))
    except ValidationError as error:
        raise InputError(
            f"{file}: not what is known of a coarse network ({first_problem(error)}); delete it and go on with --resume"
        ) from None
    of_regions = {"plan", "network", "margin_mm", "smallest_share"}
    is_same = known.model_dump(include=of_regions) == network.description.model_dump(include=of_regions)
    return replace(network, description=known) if is_same else None


def _judge(network: CoarseNetwork, job: Job) -> dict[str, Any]:
    """How much of the references the regions hold, and how large they are; each process looks at a share."""
    processes, cases = job.processes, job.cases.validation
    find = region_search(network, job.plan, job.device)
    own = cases[processes.rank :: processes.count]
    measured = [_measure(find, job, case) for case in track(own, "find regions of interest", total=len(own))]
    together = [each for share in processes.gather(measured) for each in share]
    recalls = [recall for recall, _, _ in together if recall is not None]
    return {
        "cases": cases,
        "recall": mean_of_known(recalls),
        "lowest_recall": min(recalls, default=None),
        "image_share": mean_of_known([share for _, share, _ in together]),
        "not_found": sum(not found for _, _, found in together),
    }


def _measure(find: FindRegion, job: Job, case: str) -> tuple[float | None, float, bool]:
    """The share of a case's labelled voxels in its region, of the image, and whether anything was found."""
    data, labels = job.store.read_case(case)
    region: Region = find(data, job.store.record(case).spacing_mm)
    labelled = (labels[0] > 0) & (labels[0] != job.plan.labels.ignore)
    count, inside = int(labelled.sum()), int(labelled[region.inside].sum())
    share = float(np.prod([stop - start for start, stop in region.bounds])) / labels[0].size
    return inside / count if count else None, share, region.found
