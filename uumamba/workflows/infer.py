"""uumamba infer: images to label maps on their own grids."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from uumamba.core.device import choose_device
from uumamba.core.errors import InputError, Interrupted
from uumamba.core.files import write_json
from uumamba.core.held_memory import available_bytes
from uumamba.core.interruption import Interruption
from uumamba.core.log import log
from uumamba.core.machine import describe_run, peak_memory_gb
from uumamba.core.progress import progress_bar
from uumamba.inference.backends import backends_in_words, backends_of
from uumamba.inference.batch import BatchOptions, predict_files, raise_if_failed
from uumamba.inference.bundle import BundleDescription, read_bundle
from uumamba.inference.bundle_file import find_bundle
from uumamba.inference.case_table import CaseResult, read_cases, review_item
from uumamba.inference.input_check import NOT_CHECKED
from uumamba.inference.inputs import CaseInput, find_inputs, require_inputs
from uumamba.inference.memory_budget import MemoryBudget, budget_of
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.predictor import Predictor
from uumamba.inference.review import write_review
from uumamba.inference.shard import Shard
from uumamba.workflows.heart_function import HeartFunctions

_LOOKS_BACK_SECONDS = 1800.0


@dataclass(frozen=True)
class InferOptions:
    """What a user may choose beside models, images and folder; as the options of `uumamba infer` say.

    `threads` is torch's number of threads, None for its own choice. `weights` are the models', None for all alike.
    `max_memory_gb` (10^9 bytes) is what the process may hold, None for what is free or the job's limit.
    """

    resume: bool = False
    overwrite: bool = False
    shard: Shard | None = None
    overlap: float = 0.5
    mirror: bool = False
    uncertainty: bool = False
    postprocess: bool = True
    device_name: str = "auto"
    threads: int | None = None
    weights: tuple[float, ...] | None = None
    max_memory_gb: float | None = None


DEFAULTS = InferOptions()
"""What `uumamba infer` does without options."""


def infer(
    models: Sequence[Path],
    inputs: Sequence[Path],
    output: Path,
    options: InferOptions = DEFAULTS,
    *,
    only: Collection[str] | None = None,
) -> None:
    """Segment every case of `inputs` into `output`, beside the table of cases and the run's record.

    `only` keeps the cases of these names. Raises `SomeCasesFailed` after the batch if a case failed, and `Interrupted`
    if a signal asked to stop: the cases that were done are kept.
    """
    if options.overwrite and (options.resume or options.shard):
        raise InputError("--overwrite cannot be given with --resume or --shard; leave it out, or empty the folder")
    for path in models:
        find_bundle(path)
    require_inputs(inputs)
    device = choose_device(options.device_name)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    folder = OutputFolder(output, options.shard)
    with (
        Interruption(ends_after="case").heard() as interruption,
        folder.made(resume=options.resume, overwrite=options.overwrite),
    ):
        predictor, record = _load(models, device, options)
        cases = _find_cases(inputs, folder, predictor, only)
        budget = _budget(predictor, cases, options)
        _run(predictor, cases, folder, options, record | _memory(budget), interruption, budget)


def _load(models: Sequence[Path], device: torch.device, options: InferOptions) -> tuple[Predictor, dict[str, Any]]:
    """The networks, and the head of the record."""
    bundles = [read_bundle(path) for path in models]
    backends = backends_of([bundle.description.network for bundle in bundles], scan_backend="auto", device=device)
    predictor = Predictor(
        bundles,
        weights=options.weights,
        device=device,
        overlap=options.overlap,
        mirror=options.mirror,
        postprocess=options.postprocess,
    )
    record = describe_run(device) | {
        "precision": "fp32",
        **backends,
        "models": [{"path": str(bundle.path), "sha256": bundle.sha256} for bundle in bundles],
        "weights": options.weights,
        "overlap": options.overlap,
        "mirror": options.mirror,
        "uncertainty": options.uncertainty,
        "postprocessing": predictor.postprocessing.model_dump(mode="json"),
        "roi": [_roi_of(bundle.description) for bundle in bundles],
        "inputs_checked": predictor.fingerprint is not None,
        "predictor_sha256": predictor.sha256,
        "notice": "research use only",
    }
    machine = f"{backends_in_words(backends)}, precision fp32, {device}, {record['threads']} threads"
    log.info("%d model(s), %s", len(bundles), machine)
    for sentence in predictor.postprocessing.sentences() if predictor.postprocessing.steps else ():
        log.info("post-processing: %s", sentence)
    for bundle in bundles:
        if bundle.description.roi is not None:
            log.info("region of interest of %s: %s", bundle.path, bundle.description.roi.sentence)
    if predictor.fingerprint is None:
        log.info("%s", NOT_CHECKED)
    return predictor, record


def _roi_of(description: BundleDescription) -> dict[str, Any] | None:
    """For the record; the coarse network's plan is in the bundle."""
    return None if description.roi is None else description.roi.model_dump(mode="json", exclude={"plan", "network"})


def _find_cases(
    inputs: Sequence[Path], folder: OutputFolder, predictor: Predictor, only: Collection[str] | None
) -> tuple[CaseInput, ...]:
    """The cases of this job."""
    channels = [channel.name for channel in predictor.plan.channels]
    found = find_inputs(inputs, folder.path, channels=channels, only=only)
    for path, reason in found.left_out:
        log.debug("%s: left out, %s", path, reason)
    if found.left_out:
        reasons = sorted({reason for _, reason in found.left_out})
        log.info("%d files left out: %s", len(found.left_out), ", ".join(reasons))
    if folder.shard is None:
        return found.cases
    cases = folder.shard.of(found.cases)
    log.info("shard %d of %d: %d of %d cases", folder.shard.number, folder.shard.count, len(cases), len(found.cases))
    return cases


def _budget(predictor: Predictor, cases: Sequence[CaseInput], options: InferOptions) -> MemoryBudget | None:
    """What the cases will take; None, with a word in the log, where the system does not tell."""
    limit = options.max_memory_gb
    allowed = available_bytes(torch.device("cpu")) if limit is None else int(limit * 1e9)
    try:
        if allowed is None:
            raise OSError("this system does not tell how much memory is free")
        budget = budget_of(predictor, cases, maps=options.uncertainty, allowed=allowed)
    except OSError as error:
        if limit is not None:
            raise InputError(f"--max-memory: cannot be kept, {error}; leave it out") from None
        log.info("memory is not predicted: %s", error)
        return None
    if budget.largest is not None:
        how = "side by side" if budget.fits_side_by_side else "one by one"
        log.info(
            "memory: the largest case takes %.1f GB of %.1f GB; cases go %s", budget.largest / 1e9, allowed / 1e9, how
        )
    return budget


def _memory(budget: MemoryBudget | None) -> dict[str, Any]:
    """The budget for the record, in GB."""
    if budget is None:
        return {"memory": None}
    needed = {case: round(needed / 1e9, 2) for case, needed in budget.needed.items()}
    return {"memory": {"allowed_gb": round(budget.allowed / 1e9, 2), "predicted_gb": needed}}


def _run(
    predictor: Predictor,
    cases: Sequence[CaseInput],
    folder: OutputFolder,
    options: InferOptions,
    record: dict[str, Any],
    interruption: Interruption,
    budget: MemoryBudget | None,
) -> None:
    """The batch, with its progress, its record and its last words."""
    started = time.perf_counter()
    results: list[CaseResult] = []
    with progress_bar(looks_back_seconds=_LOOKS_BACK_SECONDS) as progress:
        task = progress.add_task("infer", total=len(cases))

        def show(result: CaseResult, position: int, _: int) -> None:
            results.append(result)
            progress.update(task, completed=position)
            if result.status != "ok":
                log.warning("%s %s: %s", result.case, result.status, result.reason)

        batch = BatchOptions(options.resume, options.overwrite, maps=options.uncertainty, budget=budget)
        hearts = HeartFunctions(folder.path, predictor.labels)
        if options.overwrite:
            hearts.remove()
        try:
            with interruption.deferred():
                predict_files(
                    predictor,
                    cases,
                    folder,
                    batch,
                    on_prediction=hearts.add,
                    on_case=show,
                    must_stop=lambda: interruption.requested,
                )
        finally:
            if folder.table.is_file():
                seconds, memory = round(time.perf_counter() - started, 1), peak_memory_gb(predictor.device)
                took = {"seconds": seconds, "peak_memory_gb": memory}
                write_json(folder.record, record | _outcome(cases, results) | took)
                write_review(folder.review, map(review_item, read_cases(folder.table).values()))
                hearts.finish()
                log.info("%.0f s, peak memory %s GB", seconds, memory)
    _end(results, cases, folder, interruption)


def _end(
    results: Sequence[CaseResult], cases: Sequence[CaseInput], folder: OutputFolder, interruption: Interruption
) -> None:
    """Say how it ended; raise if it was stopped, or if a case failed."""
    counts = ", ".join(f"{count} {status}" for status, count in _counts(results).items())
    log.info("%d of %d cases in %s: %s; see %s", len(results), len(cases), folder.path, counts, folder.table.name)
    if len(results) < len(cases):
        raise Interrupted(
            f"stopped by {interruption.name} after {len(results)} of {len(cases)} cases, which are kept; "
            f"the same command with --resume (and without --overwrite) goes on"
        )
    raise_if_failed(results, folder.table)


def _outcome(cases: Sequence[CaseInput], results: Sequence[CaseResult]) -> dict[str, Any]:
    """How many cases ended how, and which."""
    details = {case.case: dict(case.details) for case in cases}
    return {
        "counts": {"cases": len(cases), **_counts(results), "not_reached": len(cases) - len(results)},
        "cases": [
            {
                "case": result.case,
                "status": result.status,
                "code": result.code,
                "seconds": round(result.seconds, 2),
                "details": details[result.case],
            }
            for result in results
        ],
    }


def _counts(results: Sequence[CaseResult]) -> dict[str, int]:
    found = Counter(result.status for result in results)
    return {"ok": found["ok"], "flagged": found["flagged"], "failed": found["failed"]}
