"""What sharpness-aware training is for: the top Hessian eigenvalue of its minima beside those of plain training.

    python benchmarks/flatness.py --device cpu -o OUT

writes OUT/flatness.json and OUT/flatness.png; exit code 1 if the ratio is above 0.5 with any seed.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import machine_record
from rich.table import Table

from uumamba.config import config_for
from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import ConfigError
from uumamba.core.files import write_json
from uumamba.core.progress import CONSOLE
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.reporting.style import COLOURS, new_figure, save_figure, tidy
from uumamba.training.history import read_history
from uumamba.workflows.landscape import landscape
from uumamba.workflows.preprocess import preprocess
from uumamba.workflows.train import train

RULES = ("plain", "sharpness_aware")
ALLOWED_RATIO = 0.5
"""Of the sharpness-aware run's top eigenvalue to the plain run's, with every seed."""

# The reference's optimizer and rho and a small U-Net; the terms' weights are fixed, so that both rules have one loss.
SETTINGS = (
    "planning.configurations=[2d]",
    "plan.configuration=2d",
    "plan.patch_size=[32,32]",
    "plan.batch_size=4",
    "plan.base_features=8",
    "plan.max_features=32",
    "plan.max_stages=3",
    "network.mamba=none",
    "network.generation=v2",
    "loss.name=fixed",
    "augmentation.enabled=false",
    "training.validation_iterations=1",
    "deterministic=true",
    "hardware.precision=fp32",
    "hardware.workers=0",
    "hardware.processes=1",
    "hardware.fit=false",
)
_PATIENTS, _PHANTOM_SEED = 5, 3
_SIZE = PhantomSize(voxels=40, spacing_mm=6.0, slice_spacing_mm=20.0)


@dataclass(frozen=True)
class Task:
    """How long each run is, on how many batches its minimum is measured, and where it is computed."""

    epochs: int
    iterations: int
    batches: int
    device: str

    @property
    def steps(self) -> int:
        """Of one run."""
        return self.epochs * self.iterations


def main() -> int:
    """Measure what the command line asks for; 1 if a ratio is too high."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--seeds", type=int, default=3, help="0, 1, ... up to this many")
    parser.add_argument("--steps", type=int, default=800, help="of each run, a multiple of 40")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for flatness.json and flatness.png")
    parser.add_argument("--quick", action="store_true", help="one seed, two steps; its figures mean and forbid nothing")
    options = parser.parse_args()
    if options.seeds < 1 or options.steps < 40 or options.steps % 40:
        parser.error("--seeds must be at least 1, --steps a multiple of 40")
    try:
        device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    task = Task(1, 2, 1, device.type) if options.quick else Task(options.steps // 40, 40, 8, device.type)
    record: dict[str, Any] = {"machine": machine_record(device), "task": asdict(task), "settings": SETTINGS}
    record |= {"allowed_ratio": ALLOWED_RATIO, "seeds": {}}
    for seed, found in measure(task, range(1 if options.quick else options.seeds)):
        record["seeds"][str(seed)] = found
        write_json(options.output / "flatness.json", record)  # whoever stops it has the seeds so far
    record["seconds_per_step"] = times(record)
    write_json(options.output / "flatness.json", record)
    save_figure(picture(record), options.output / "flatness.png")
    make_console().print(table(record))
    return 0 if options.quick or all(each["flatter"] for each in record["seeds"].values()) else 1


def measure(task: Task, seeds: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each seed's two runs, one after the other, on the same generated hearts."""
    with TemporaryDirectory() as folder, redirect_stdout(sys.stderr):  # for the output there is one table
        data, work = Path(folder) / "data", Path(folder) / "work"
        write_phantom_acdc(data, patients=_PATIENTS, seed=_PHANTOM_SEED, size=_SIZE)
        preprocess("acdc", data, work, config_for("acdc", None, SETTINGS))
        for seed in seeds:
            runs = {rule: one_run(work, task, rule, seed) for rule in RULES}
            yield seed, compare(runs)


def one_run(work: Path, task: Task, rule: str, seed: int) -> dict[str, Any]:
    """Train with one rule and measure where it ended; seconds per step hold drawing the patches and the validation."""
    CONSOLE.print(f"seed {seed}, {rule}: {task.steps} steps")
    overrides = (f"seed={seed}", f"rule={{name: {rule}}}", f"hardware.device={task.device}")
    length = (f"training.epochs={task.epochs}", f"training.iterations={task.iterations}")
    config = config_for("acdc", None, (*SETTINGS, *overrides, *length))
    run = train("acdc", work, f"{rule}-{seed}", config)[0]
    found = landscape(run.path, batches=task.batches, device=task.device)
    kept = ("top_eigenvalue", "converged", "trace", "sharpness", "loss", "parameters", "patches_sha256")
    seconds = [float(row["seconds"] or 0) / task.iterations for row in read_history(run.history)]
    return {name: found[name] for name in kept} | {"rule": config.rule.model_dump(), "seconds_per_step": seconds}


def compare(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One seed's runs and their top eigenvalues' ratio; a `RuntimeError` if other patches measured one of them."""
    if len({run["patches_sha256"] for run in runs.values()}) > 1:
        raise RuntimeError("the two runs were measured on different patches, so they cannot be compared")
    plain, aware = (runs[rule]["top_eigenvalue"]["value"] for rule in RULES)
    ratio = aware / plain
    converged = all(run["converged"] for run in runs.values())
    return {"ratio": ratio, "flatter": converged and 0 < ratio <= ALLOWED_RATIO, **runs}


def times(record: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Seconds per step of each rule: median, fastest and slowest of all epochs."""
    found = {}
    for rule in RULES:
        seconds = [each for seed in record["seeds"].values() for each in seed[rule]["seconds_per_step"]]
        found[rule] = {"median": statistics.median(seconds), "low": min(seconds), "high": max(seconds)}
    return found


def picture(record: dict[str, Any]) -> Any:
    """Two bars per seed, and their ratio."""
    figure = new_figure(2.5 + 1.2 * len(record["seeds"]), 3.4)
    axes = figure.subplots()
    for number, each in enumerate(record["seeds"].values()):
        for side, (rule, colour) in enumerate(zip(RULES, (COLOURS[3], COLOURS[5]), strict=True)):
            label = rule.replace("_", "-") if number == 0 else ""
            axes.bar(number + 0.4 * side, each[rule]["top_eigenvalue"]["value"], 0.38, color=colour, label=label)
        place = (number + 0.4, each["sharpness_aware"]["top_eigenvalue"]["value"])
        axes.annotate(f"x {each['ratio']:.2f}", place, ha="center", va="bottom", fontsize=9)
    axes.set_xticks([number + 0.2 for number in range(len(record["seeds"]))], [f"seed {s}" for s in record["seeds"]])
    axes.set_ylabel("top Hessian eigenvalue")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes)
    figure.suptitle(f"After {_steps(record)} steps on generated hearts", fontsize=10)
    return figure


def _steps(record: dict[str, Any]) -> int:
    return Task(**record["task"]).steps


def table(record: dict[str, Any]) -> Table:
    """The record for the screen."""
    seconds = (f"{rule} {each['median']:.4f}" for rule, each in record["seconds_per_step"].items())
    allowed = f"allowed ratio {record['allowed_ratio']:g}"
    found = Table(title=f"{_steps(record)} steps; {allowed}; median seconds per step: {', '.join(seconds)}")
    columns = ("top eigenvalue, plain", "sharpness-aware", "ratio", "loss, plain", "sharpness-aware", "")
    for header in ("seed", *columns):
        found.add_column(header, justify="right")
    for seed, each in record["seeds"].items():
        plain, aware = (each[rule] for rule in RULES)
        found.add_row(
            str(seed),
            f"{plain['top_eigenvalue']['value']:.3g}",
            f"{aware['top_eigenvalue']['value']:.3g}",
            f"{each['ratio']:.3f}",
            f"{plain['loss']:.3f}",
            f"{aware['loss']:.3f}",
            "" if each["flatter"] else "not flatter" if plain["converged"] and aware["converged"] else "not converged",
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
