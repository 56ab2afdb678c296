"""U-Mamba v1 Enc with ACDC's 3d_fullres plan: time by part and peak memory with each scan backend.

    python benchmarks/network.py --device cpu --backends cpu chunked reference -o OUT

writes OUT/network.json and OUT/network.png. A backend whose logits fail the parity check is named and not timed.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from measure import alone, extra_memory_bytes, machine_record, peak_bytes
from rich.table import Table
from torch import Tensor, nn

from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import ConfigError
from uumamba.core.files import write_json
from uumamba.core.progress import CONSOLE
from uumamba.core.topology import Topology
from uumamba.models.mamba import MambaLayer
from uumamba.models.umamba import UMamba
from uumamba.reporting.style import COLOURS, new_figure, save_figure, tidy
from uumamba.scan import BACKENDS
from uumamba.scan.probe import seconds_of

ACDC = Topology(
    patch_size=(20, 256, 224),
    features=(32, 64, 128, 256, 320, 320),
    kernels=((1, 3, 3), *((3, 3, 3),) * 5),
    strides=((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2)),
    blocks_encoder=(2,) * 6,
    blocks_decoder=(2,) * 5,
)
PARAMETERS = 58_770_036
"""Of the published network with this plan."""

QUICK = Topology((8, 32, 32), (8, 16), ((1, 3, 3), (3, 3, 3)), ((1, 1, 1), (1, 2, 2)), (2, 2), (2,))
"""A tiny network, for `--quick`."""

PARTS = ("scan", "rest of Mamba", "convolutions", "norms", "other")
_TRAINING_PATCH, _SMALL_PATCH = (8, 128, 128), (8, 32, 32)
_TOLERANCE = 1e-3
_CONVOLUTIONS = (nn.Conv3d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Task:
    """What is timed: a forward pass in inference mode, or with `training` forward and backward; patch in voxels."""

    topology: Topology
    patch: tuple[int, ...]
    training: bool
    device: str


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--backends", nargs="+", choices=tuple(BACKENDS), help="else all that can run but the reference"
    )
    parser.add_argument("--training", action="store_true", help=f"a training step on a patch of {_TRAINING_PATCH}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for network.json and network.png")
    parser.add_argument("--quick", action="store_true", help="a tiny network, one round; its figures mean nothing")
    options = parser.parse_args()
    try:
        device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    topology = QUICK if options.quick else ACDC
    patch = _TRAINING_PATCH if options.training and not options.quick else topology.patch_size
    task = Task(topology, patch, options.training, device.type)
    names = options.backends or _able(device)
    for name in names:
        if reason := BACKENDS[name].why_not(device, torch.float32):
            parser.error(f"{name} cannot run on {device}: {reason}")
    record = measure(task, names, rounds=1 if options.quick else options.rounds)
    write_json(options.output / "network.json", record)
    save_figure(picture(record), options.output / "network.png")
    make_console().print(table(record))


def _able(device: torch.device) -> list[str]:
    return [name for name in BACKENDS if name != "reference" and BACKENDS[name].why_not(device, torch.float32) is None]


def measure(task: Task, names: Sequence[str], *, rounds: int) -> dict[str, Any]:
    """The whole record: in every round each backend once, in a process of its own, parity first."""
    parameters = count_parameters(task.topology)
    if task.topology == ACDC and parameters != PARAMETERS:
        raise RuntimeError(f"the network has {parameters} parameters instead of {PARAMETERS}")
    with CONSOLE.status("the truth: reference in float64"):
        truth = alone(small_logits, "reference", task, torch.float64)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for turn in range(rounds):
        for name in names:
            with CONSOLE.status(f"round {turn + 1} of {rounds}: {name}"):
                if not any(each["not_timed"] for each in found[name]):
                    found[name].append(alone(one_round, name, task, truth))
    backends = {name: _summary(each) for name, each in found.items()}
    baseline = "reference" if "reference" in names else names[-1]
    slowest = backends[baseline]["seconds"]
    for each in backends.values():
        both = slowest is not None and each["seconds"] is not None
        each["times_faster_than_baseline"] = slowest["median"] / each["seconds"]["median"] if both else None
    sizes = asdict(task)
    network = {"generation": "v1", "mamba": "encoder", "parameters": parameters, "topology": sizes.pop("topology")}
    return {
        "machine": machine_record(torch.device(task.device)),
        "network": network,
        "task": sizes,
        "rounds": rounds,
        "baseline": baseline,
        "backends": backends,
    }


def build(topology: Topology, backend: str, device: str) -> UMamba:
    """The network with weights from a fixed seed."""
    torch.manual_seed(0)
    network = UMamba(topology, input_channels=1, classes=4, mamba="encoder", generation="v1", scan_backend=backend)
    return network.to(device)


def count_parameters(topology: Topology) -> int:
    """Of the network, which is built without memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(topology, "reference", "meta").parameters())


def image(patch: Sequence[int], device: str) -> Tensor:
    """Noise, the same everywhere."""
    return torch.randn(1, 1, *patch, generator=torch.Generator().manual_seed(1)).to(device)


@torch.inference_mode()
def small_logits(backend: str, task: Task, dtype: torch.dtype) -> np.ndarray:
    """Logits of a small patch."""
    choose_device(task.device)
    return _logits(build(task.topology, backend, task.device).eval().to(dtype), task.device)


def _logits(network: UMamba, device: str) -> np.ndarray:
    dtype = next(network.parameters()).dtype
    logits: np.ndarray = network(image(_SMALL_PATCH, device).to(dtype)).cpu().numpy()
    return logits


def one_round(backend: str, task: Task, truth: np.ndarray) -> dict[str, Any]:
    """Parity on a small patch, which also warms up, then the time, its parts and the peak memory of one call."""
    device = choose_device(task.device)
    network = build(task.topology, backend, task.device).eval()
    with torch.inference_mode():
        error = float(np.abs(_logits(network, task.device) - truth).max() / np.abs(truth).max())
    if not error <= _TOLERANCE:
        return {"not_timed": f"its logits are off by {error:.1e}, allowed is {_TOLERANCE:.0e}"}
    call = _training_step if task.training else torch.inference_mode()(UMamba.forward)
    network.train(task.training)
    call(network, image(_SMALL_PATCH, task.device))
    network.zero_grad()
    clock = Clock(device)
    clock.watch(network, backend)
    batch, seconds = image(task.patch, task.device), []
    extra = extra_memory_bytes(lambda: seconds.append(seconds_of(lambda: call(network, batch), device)), device)
    parts = None if task.training else clock.parts(seconds[0])
    peak = peak_bytes(device)
    return {
        "not_timed": None,
        "error": error,
        "seconds": seconds[0],
        "parts": parts,
        "peak_gb": peak / 1e9,
        "extra_gb": extra / 1e9,
    }


def _training_step(network: UMamba, batch: Tensor) -> None:
    """Forward and backward, without the optimiser."""
    torch.stack([logits.square().mean() for logits in network(batch)]).sum().backward()


class Clock:
    """Adds up the seconds of a network's parts during forward passes; on a GPU by events, which do not hold it up."""

    def __init__(self, device: torch.device) -> None:
        self._gpu = device.type == "cuda"
        self._marks: dict[str, list[Any]] = defaultdict(list)

    def _mark(self, part: str) -> None:
        if self._gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks[part].append(event)
        else:
            self._marks[part].append(time.perf_counter())

    def watch(self, network: nn.Module, backend: str) -> None:
        """Mark beginning and end of every Mamba layer, convolution, instance norm and scan."""
        kinds = {"Mamba": MambaLayer, "convolutions": _CONVOLUTIONS, "norms": nn.InstanceNorm3d}
        for module in network.modules():
            for part, kind in kinds.items():
                if isinstance(module, kind):
                    module.register_forward_pre_hook(lambda *_, part=part: self._mark(part))
                    module.register_forward_hook(lambda *_, part=part: self._mark(part))
        original = BACKENDS[backend]

        def run(inputs: Any) -> Any:
            self._mark("scan")
            result = original.run(inputs)
            self._mark("scan")
            return result

        # The table asks no more of a backend than these two functions.
        BACKENDS[backend] = SimpleNamespace(why_not=original.why_not, run=run)

    def parts(self, total: float) -> dict[str, float]:
        """Seconds of each of `PARTS`, which add up to `total`."""
        sums = {part: sum(map(self._between, marks[::2], marks[1::2])) for part, marks in self._marks.items()}
        sums["rest of Mamba"] = sums.pop("Mamba") - sums["scan"]
        return {part: sums.get(part, total - sum(sums.values())) for part in PARTS}

    def _between(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end)) / 1000 if self._gpu else end - start


def _summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One backend's medians over its rounds; nothing but the reason if it was not timed."""
    refused = next((each["not_timed"] for each in rounds if each["not_timed"]), None)
    if refused:
        return {"not_timed": refused, "seconds": None}
    seconds = [each["seconds"] for each in rounds]
    split = [each["parts"] for each in rounds if each["parts"]]
    return {
        "not_timed": None,
        "error": max(each["error"] for each in rounds),
        "seconds": {"median": statistics.median(seconds), "low": min(seconds), "high": max(seconds)},
        "parts_seconds": {part: statistics.median(each[part] for each in split) for part in PARTS} if split else None,
        "peak_gb": max(each["peak_gb"] for each in rounds),
        "extra_gb": max(each["extra_gb"] for each in rounds),
    }


def picture(record: dict[str, Any]) -> Any:
    """A bar per backend, cut into the network's parts where they are known, with the peak memory at its end."""
    timed = {name: each for name, each in record["backends"].items() if each["seconds"]}
    figure = new_figure(9, 1.6 + 0.6 * max(1, len(timed)))
    axes = figure.subplots()
    for name, each in timed.items():
        left = 0.0
        for part, width in (each["parts_seconds"] or {"forward + backward": each["seconds"]["median"]}).items():
            colour = COLOURS[PARTS.index(part)] if part in PARTS else COLOURS[0]
            axes.barh(name, width, left=left, color=colour, height=0.6, label=part if name == next(iter(timed)) else "")
            left += width
        axes.annotate(f" {each['seconds']['median']:.3g} s, peak {each['peak_gb']:.1f} GB", (left, name), va="center")
    axes.margins(x=0.25)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    axes.set_xlabel("seconds (median of rounds)")
    if timed:
        figure.legend(loc="outside lower left", ncols=len(PARTS), fontsize=8, frameon=False)
    tidy(axes)
    machine, task = record["machine"], record["task"]
    where = machine["processor"] if machine["device"] == "cpu" else machine["device_name"]
    figure.suptitle(f"U-Mamba v1 Enc, {_described(task)}, on {where}, threads: {machine['threads']}", fontsize=10)
    return figure


def _described(task: dict[str, Any]) -> str:
    what = "forward and backward" if task["training"] else "forward"
    return f"{what}, patch {' x '.join(map(str, task['patch']))}"


def table(record: dict[str, Any]) -> Table:
    """The record for the screen."""
    found = Table(title=f"{_described(record['task'])}, rounds: {record['rounds']}, against {record['baseline']}")
    for header in ("backend", "logits' error", "median s", "low to high", "x faster", "peak GB", "extra GB", "parts"):
        found.add_column(header, justify="left" if header in ("backend", "parts") else "right")
    for name, each in record["backends"].items():
        if not each["seconds"]:
            found.add_row(name, "", "", f"not timed: {each['not_timed']}")
            continue
        seconds, faster = each["seconds"], each["times_faster_than_baseline"]
        parts = (f"{part} {value:.3g}" for part, value in (each["parts_seconds"] or {}).items())
        found.add_row(
            name,
            f"{each['error']:.0e}",
            f"{seconds['median']:.4g}",
            f"{seconds['low']:.4g} to {seconds['high']:.4g}",
            "-" if faster is None else f"{faster:.3g}",
            f"{each['peak_gb']:.2f}",
            f"{each['extra_gb']:.2f}",
            "\n".join(parts),
        )
    return found


if __name__ == "__main__":
    main()
