"""uumamba infer: images to label maps on their own grids."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from uumamba.core.device import choose_device
from uumamba.core.errors import SomeCasesFailed
from uumamba.core.files import write_json
from uumamba.core.log import log
from uumamba.core.progress import progress_bar
from uumamba.inference.batch import CaseResult, predict_files
from uumamba.inference.bundle import Bundle, read_bundle
from uumamba.inference.predictor import Predictor
from uumamba.scan import resolve_backend
from uumamba.training.record import describe_machine, describe_program, peak_memory_gb


def infer(
    models: Sequence[Path],
    inputs: Sequence[Path],
    output: Path,
    *,
    resume: bool,
    overlap: float,
    mirror: bool,
    device_name: str,
    only: Collection[str] | None = None,
) -> None:
    """Segment every image of `inputs` into `output`, beside `cases.csv` and `run.json`.

    `only` keeps the cases of these names. Raises `SomeCasesFailed` after the batch if a case failed.
    """
    device = choose_device(device_name)
    bundles = [read_bundle(path) for path in models]
    predictor = Predictor(bundles, device=device, overlap=overlap, mirror=mirror)
    backends = sorted({resolve_backend(bundle.description.network.scan_backend, device=device) for bundle in bundles})
    log.info(
        "%d model(s) on %s with %d threads, scan %s, precision fp32",
        len(bundles),
        device,
        torch.get_num_threads(),
        ", ".join(backends),
    )
    started = time.perf_counter()
    outcomes: Counter[str] = Counter()
    with progress_bar() as progress:
        task = progress.add_task("infer", total=None)

        def show(result: CaseResult, position: int, total: int) -> None:
            outcomes[result.status] += 1
            progress.update(task, completed=position, total=total)
            if result.status == "failed":
                log.warning("%s failed: %s", result.input, result.reason)

        try:
            predict_files(predictor, inputs, output, only=only, resume=resume, on_case=show)
        except SomeCasesFailed:
            _write_record(output, bundles, predictor, backends, device, outcomes, started)
            raise
    _write_record(output, bundles, predictor, backends, device, outcomes, started)
    log.info(
        "%d cases in %s, %.0f s, peak memory %.2f GB",
        sum(outcomes.values()),
        output,
        time.perf_counter() - started,
        peak_memory_gb(device),
    )


def _write_record(
    output: Path,
    bundles: Sequence[Bundle],
    predictor: Predictor,
    backends: Sequence[str],
    device: torch.device,
    outcomes: Counter[str],
    started: float,
) -> None:
    record = {
        **describe_program(),
        **describe_machine(device),
        "precision": "fp32",
        "scan_backends": list(backends),
        "models": [{"path": str(bundle.path), "sha256": bundle.sha256} for bundle in bundles],
        "overlap": predictor.overlap,
        "mirror": predictor.mirror,
        "cases": dict(outcomes),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_gb": round(peak_memory_gb(device), 3),
        "notice": "research use only",
    }
    write_json(output / "run.json", record)
