"""What a training leaves behind: the weights that count, their Dice on whole volumes, and the bundle."""

import csv
import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uumamba.core.errors import UumambaError
from uumamba.core.files import write_json, write_text
from uumamba.core.log import log
from uumamba.core.machine import peak_memory_gb
from uumamba.core.statistics import mean_of_known
from uumamba.core.versions import installed_versions
from uumamba.data.fingerprint import fingerprint_of_store
from uumamba.inference.bundle import BundleDescription, TrainingRecord, write_bundle
from uumamba.inference.calibration import Calibration
from uumamba.inference.postprocessing import Postprocessing
from uumamba.inference.voxel_sample import sample_size
from uumamba.training.checkpoint import read_checkpoint
from uumamba.training.state import Training
from uumamba.training.validation import CaseValidation, validate_volumes
from uumamba.workflows.calibration_result import conclude, write_calibration
from uumamba.workflows.roi import region_search
from uumamba.workflows.training_job import Job
from uumamba.workflows.validated_choice import choose


@dataclass(frozen=True)
class _Fitted:
    """What a bundle keeps of the validation cases beside their Dice."""

    calibration: Calibration
    postprocessing: Postprocessing


_NOTHING = _Fitted(Calibration(), Postprocessing())


def finish(job: Job, training: Training, record: dict[str, Any]) -> None:
    """Validate whole volumes, write the bundle, and close the run record."""
    epoch = _take_best_weights(job, training)
    started = time.perf_counter()
    description = _describe(job, training, record, epoch=epoch)
    with training.averaged():
        # Before the validation, which may take long: whoever stops it has the model all the same.
        _write_bundle(job, training, description)
        scores: dict[str, float | None] = {}
        fitted = _NOTHING
        if job.cases.validation:
            validated = _validate_volumes(job, training)
            scores, fitted = _mean_dice(job, validated), _fit_to_validation(job, validated)
            trained = description.training.model_copy(update={"scores": scores})
            found = {"calibration": fitted.calibration, "postprocessing": fitted.postprocessing}
            description = description.model_copy(update={"training": trained, **found})
            _write_bundle(job, training, description)
    seconds = math.fsum(row["seconds"] or 0.0 for row in training.history) + time.perf_counter() - started
    finished = {
        "seconds": round(seconds, 1),
        "peak_memory_gb": peak_memory_gb(job.device),
        "epochs": training.epoch,
        "bundle_epoch": epoch,
        "bundle_averaged": training.average is not None,
        "scores": scores,
        "temperature": fitted.calibration.temperature if fitted.calibration.cases else None,
    }
    if job.processes.is_first:
        write_json(job.directory.record, record | {"finished": finished})
    log.info("done in %.0f s, peak memory %s GB: %s", seconds, finished["peak_memory_gb"], job.directory.bundle)


def _take_best_weights(job: Job, training: Training) -> int:
    """For the bundle, if it shall hold the best epoch's weights; gives the epoch whose weights it will hold."""
    if job.config.training.bundle != "best":
        return training.epoch
    if training.best is None:
        log.info("no epoch has a Dice, so none is the best: the bundle holds the last one's weights")
        return training.epoch
    job.processes.wait()
    training.take_weights(read_checkpoint(job.directory.best))
    log.info("the bundle holds the weights of epoch %d, the best", training.best_epoch)
    return training.best_epoch


def _validate_volumes(job: Job, training: Training) -> dict[str, CaseValidation]:
    """All validation cases, of which each process looks at a share."""
    processes, cases, plan = job.processes, job.cases.validation, job.plan
    size = sample_size(len(cases), plan.labels.outputs) if job.config.training.calibrate else None
    own = cases[processes.rank :: processes.count]
    find = None if job.roi is None else region_search(job.roi, plan, job.device)
    shares = processes.gather(
        validate_volumes(training.network, job.store, own, plan, job.device, size=size, find=find)
    )
    together = {case: found for share in shares for case, found in share.items()}
    return {case: together[case] for case in cases}


def _mean_dice(job: Job, validated: Mapping[str, CaseValidation]) -> dict[str, float | None]:
    """Mean Dice per structure; the cases go into a table."""
    structures = tuple(job.plan.labels.members)
    scores = {case: found.dice for case, found in validated.items()}
    if job.processes.is_first:
        write_text(job.directory.validation, _table(structures, scores))
    means = {structure: mean_of_known(row[structure] for row in scores.values()) for structure in structures}
    shown = (f"{name} {'none' if value is None else format(value, '.4f')}" for name, value in means.items())
    log.info("mean Dice of %d whole validation volumes: %s", len(scores), ", ".join(shown))
    return means


def _fit_to_validation(job: Job, validated: Mapping[str, CaseValidation]) -> _Fitted:
    """What the first process, which writes the bundle, fits and chooses; it leaves files of it."""
    if not (job.config.training.calibrate and job.processes.is_first):
        return _NOTHING
    choice = choose(validated, job.store, job.plan, job.dataset.anatomy)
    try:
        result = conclude(validated, job.plan.labels, job.folder.read_patients())
    except UumambaError as error:  # the model is trained all the same
        log.warning("the probabilities are not calibrated: %s", error)
        return _Fitted(Calibration(), choice.postprocessing)
    write_calibration(result, choice, job.directory.path, title=job.title, origin={"fold": job.fold})
    log.info("%s", result.sentence)
    for sentence in choice.postprocessing.sentences():
        log.info("post-processing: %s", sentence)
    return _Fitted(result.fit.calibration, choice.postprocessing)


def _table(structures: Sequence[str], scores: Mapping[str, Mapping[str, float | None]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["case", *structures], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"case": case, **row} for case, row in scores.items())
    return text.getvalue()


def _describe(job: Job, training: Training, record: dict[str, Any], *, epoch: int) -> BundleDescription:
    """What the bundle says before anything was validated; its fingerprint is the first process's matter."""
    is_first = job.processes.is_first
    return BundleDescription(
        plan=job.plan,
        network=job.config.network,
        mirrored_axes=job.dataset.mirrored_axes,
        training=TrainingRecord(
            seed=job.config.seed,
            epochs=epoch,
            averaged=training.average is not None,
            fold=job.fold,
            cases=job.cases.training,
            data_hash=record["data_hash"],
            configuration=record["configuration"],
        ),
        versions=installed_versions(),
        licence=job.dataset.licence,
        citation=job.dataset.citation,
        fingerprint=fingerprint_of_store(job.store, job.cases.training, job.plan) if is_first else None,
        roi=None if job.roi is None else job.roi.description,
    )


def _write_bundle(job: Job, training: Training, description: BundleDescription) -> None:
    if job.processes.is_first:
        write_bundle(
            job.directory.bundle,
            state=training.network.state_dict(),
            description=description,
            roi_state=None if job.roi is None else job.roi.bundle.state,
        )
