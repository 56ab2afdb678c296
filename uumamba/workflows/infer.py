"""uumamba infer: images to label maps on their own grids."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from uumamba.core.device import choose_device
from uumamba.core.files import write_json
from uumamba.core.log import log
from uumamba.core.machine import describe_run, peak_memory_gb
from uumamba.core.progress import progress_bar
from uumamba.inference.backends import backends_in_words, backends_of
from uumamba.inference.batch import CaseResult, predict_files
from uumamba.inference.bundle import read_bundle
from uumamba.inference.predictor import Predictor


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
    started = time.perf_counter()
    device = choose_device(device_name)
    bundles = [read_bundle(path) for path in models]
    backends = backends_of([bundle.description.network for bundle in bundles], scan_backend="auto", device=device)
    predictor = Predictor(bundles, device=device, overlap=overlap, mirror=mirror)
    record = describe_run(device) | {
        "precision": "fp32",
        **backends,
        "models": [{"path": str(bundle.path), "sha256": bundle.sha256} for bundle in bundles],
        "overlap": overlap,
        "mirror": mirror,
        "notice": "research use only",
    }
    machine = f"{backends_in_words(backends)}, precision fp32, {device}, {record['threads']} threads"
    log.info("%d model(s), %s", len(bundles), machine)
    outcomes: Counter[str] = Counter()
    with progress_bar() as progress:
        task = progress.add_task("infer", total=None)

        def show(result: CaseResult, position: int, total: int) -> None:
            progress.update(task, completed=position, total=total)
            outcomes[result.status] += 1
            if result.status == "failed":
                log.warning("%s failed: %s", result.input, result.reason)

        try:
            predict_files(predictor, inputs, output, only=only, resume=resume, on_case=show)
        finally:
            seconds, memory = round(time.perf_counter() - started, 1), peak_memory_gb(device)
            if outcomes:
                counts = {"cases": dict(outcomes), "seconds": seconds, "peak_memory_gb": memory}
                write_json(output / "run.json", record | counts)
    log.info("%d cases in %s, %.0f s, peak memory %s GB", outcomes.total(), output, seconds, memory)
