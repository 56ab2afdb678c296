"""The selective scan: speed, memory and cost against length of every backend, beside the counted floor.

    python benchmarks/scan.py --device cpu -o OUT

writes OUT/scan.json and OUT/scan.png. A backend that fails its parity check is named and not timed.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import alone, copy_rate, exponential_rate, extra_memory_bytes, machine_record
from rich.table import Table

from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import ConfigError
from uumamba.core.files import write_json
from uumamba.core.progress import CONSOLE
from uumamba.reporting.style import COLOURS, new_figure, save_figure, tidy
from uumamba.scan import BACKENDS
from uumamba.scan.probe import (
    FAILURES,
    Problem,
    draw,
    failure,
    forward,
    forward_backward,
    parity,
    seconds_of,
    time_calls,
    worst_parity,
)

PASSES = ("forward", "forward_backward")
_CALLS = {"forward": forward, "forward_backward": forward_backward}
_U_MAMBA = Problem(1, 64, 16, 114688)


@dataclass(frozen=True)
class Plan:
    """What is measured: the first of `shapes` also for memory and, at `lengths`, for cost against length.

    The reference is far too slow for the whole: it gets `reference_length` tokens of every shape, and is compared per
    token. A backend that would take longer than `longest_seconds` at a length is not measured there.
    """

    shapes: tuple[Problem, ...] = (_U_MAMBA,)
    lengths: tuple[int, ...] = (1000, 3162, 10000, 31623, 100000, 316228, 1000000)
    reference_length: int = 8192
    repeats: int = 5
    longest_seconds: float = 15.0
    copy_megabytes: int = 512


_GPU_SHAPES = (_U_MAMBA, Problem(2, 64, 16, 1146880), Problem(2, 128, 16, 286720), Problem(8, 2048, 16, 2048))
_QUICK = Plan((Problem(1, 8, 16, 2000),), (250, 500, 1000, 2000), 250, 2, 0.5, 16)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for scan.json and scan.png")
    parser.add_argument("--full", action="store_true", help="also time the reference once at the full length")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; its figures mean nothing")
    options = parser.parse_args()
    try:
        device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    plan = _QUICK if options.quick else Plan(shapes=_GPU_SHAPES if device.type == "cuda" else (_U_MAMBA,))
    record = measure(plan, device, full=options.full)
    write_json(options.output / "scan.json", record)
    save_figure(picture(record), options.output / "scan.png")
    show(record)


def measure(plan: Plan, device: torch.device, *, full: bool) -> dict[str, Any]:
    """The whole record, parity first."""
    refused = {name: reason for name in BACKENDS if (reason := refusal(name, device))}
    right = [name for name in BACKENDS if name not in refused]
    rates = _rates(plan, device)
    record = {"machine": machine_record(device), "plan": asdict(plan), "not_timed": refused, "rates_per_second": rates}
    record["shapes"] = [_compare(problem, right, plan, device, rates) for problem in plan.shapes]
    if full:
        arguments = draw(plan.shapes[0], device=device)
        record["reference_forward_at_full_length_seconds"] = seconds_of(forward(arguments, "reference"), device)
    record["memory"] = {name: _memory(name, _sized(name, plan.shapes[0], plan), device) for name in right}
    record["lengths"] = _against_length(plan, right, device)
    return record


def _rates(plan: Plan, device: torch.device) -> dict[str, float]:
    """Bytes and exponentials per second, with the present number of threads."""
    with CONSOLE.status("rates of this machine"):
        copied = copy_rate(device, megabytes=plan.copy_megabytes)
        return {"copy_bytes": copied, "exponentials": exponential_rate(device)}


def refusal(name: str, device: torch.device) -> str | None:
    """Why a backend is not timed: it cannot run there, it fails, or its numbers are wrong."""
    reason = BACKENDS[name].why_not(device, torch.float32)
    try:
        return reason or worst_parity(name, device).problem
    except FAILURES as error:
        return failure(error)


def _sized(name: str, problem: Problem, plan: Plan) -> Problem:
    """The problem, with fewer tokens for the reference."""
    length = min(problem.length, plan.reference_length) if name == "reference" else problem.length
    return replace(problem, length=length)


def _compare(
    problem: Problem, names: Sequence[str], plan: Plan, device: torch.device, rates: dict[str, float]
) -> dict[str, Any]:
    """All backends side by side on one shape, each checked at this shape before, against chunked in float64."""
    sizes = {name: _sized(name, problem, plan) for name in names}
    found: dict[str, Any] = {}
    for name in names:
        with CONSOLE.status(f"parity of {name} at {problem}"):
            check = parity(name, sizes[name], device, truth="chunked")
        found[name] = {"length": sizes[name].length, "parity_error": check.error, "not_timed": check.problem}
    timed = [name for name in names if found[name]["not_timed"] is None]
    floor = count_floor(problem, rates)
    baseline = "mamba_ssm" if "mamba_ssm" in timed else "reference"
    for what in PASSES:
        # Batches stand for tokens of their own: a token is one position of one batch entry.
        with CONSOLE.status(f"{what} at {problem}"):
            calls = {name: _CALLS[what](draw(sizes[name], device=device), name) for name in timed}
            times = time_calls(calls, device, repeats=plan.repeats)
        per_token = {name: times[name].median / (problem.batch * sizes[name].length) for name in timed}
        for name in timed:
            found[name][what] = asdict(times[name]) | {
                "microseconds_per_token": per_token[name] * 1e6,
                "times_faster_than_baseline": per_token[baseline] / per_token[name] if baseline in timed else None,
                "times_the_floor": per_token[name] * problem.batch * problem.length / floor[what]["seconds"],
            }
    return {"problem": asdict(problem), "baseline": baseline, "floor": floor, "backends": found}


def count_floor(problem: Problem, rates: dict[str, float]) -> dict[str, dict[str, float]]:
    """The least time: the larger of all bytes at the rate of a copy, and all exponentials at theirs.

    Forward reads every argument and writes the output; backward reads the arguments and the output's gradient again
    and writes a gradient per argument. One exponential per state and token; the backward pass computes them again,
    since to store them would move many times the bytes.
    """
    batch, channels, state, length = problem.batch, problem.channels, problem.state, problem.length
    sequence = 4 * batch * channels * length
    arguments = 3 * sequence + 2 * 4 * batch * max(problem.groups, 1) * state * length
    exponentials = batch * channels * state * length
    counted = {
        "forward": (arguments + sequence, exponentials),
        "forward_backward": (3 * arguments + 2 * sequence, 2 * exponentials),
    }
    return {
        what: {
            "bytes": moved,
            "exponentials": computed,
            "seconds": max(moved / rates["copy_bytes"], computed / rates["exponentials"]),
        }
        for what, (moved, computed) in counted.items()
    }


def _memory(name: str, problem: Problem, device: torch.device) -> dict[str, Any]:
    """Peak memory of each pass beyond the arguments, in a process of their own; in bytes, and as a ratio."""
    sequence = 4 * problem.batch * problem.channels * problem.length
    inputs = 3 * sequence + 8 * problem.batch * max(problem.groups, 1) * problem.state * problem.length
    with CONSOLE.status(f"memory of {name}"):
        extra = alone(_extra_memory, name, problem, device)
    return {
        "length": problem.length,
        "inputs_bytes": inputs,
        "output_bytes": sequence,
        "forward_extra_bytes": extra["forward"],
        "forward_backward_extra_bytes": extra["forward_backward"],
        "forward_extra_per_output": extra["forward"] / sequence,
        "forward_backward_extra_per_inputs": extra["forward_backward"] / inputs,
    }


def _extra_memory(name: str, problem: Problem, device: torch.device) -> dict[str, int]:
    """Extra bytes of each pass; short scans before, so that what loads or compiles does not count."""
    choose_device(device.type)
    short = draw(replace(problem, length=min(problem.length, 64)), device=device)
    arguments = draw(problem, device=device)
    extra = {}
    for what in PASSES:
        _CALLS[what](short, name)()
        extra[what] = extra_memory_bytes(_CALLS[what](arguments, name), device)
    return extra


def _against_length(plan: Plan, names: Iterable[str], device: torch.device) -> dict[str, dict[str, Any]]:
    """Seconds at every length, and the slope of their logarithms: 1 is a cost in proportion to the length.

    On a CPU one thread works, and a backend is called several times in a row, so that the cost is that of the work, not
    of starting threads or of code that another backend has driven from the caches.
    """
    result: dict[str, dict[str, Any]] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rates = _rates(plan, device)
    for what in PASSES:
        seconds: dict[str, dict[int, float]] = {name: {} for name in names}
        for length in plan.lengths:
            problem = replace(plan.shapes[0], length=length)
            going = [name for name in names if _predicted(seconds[name], length) <= plan.longest_seconds]
            with CONSOLE.status(f"{what} at length {length}"):
                for name in going:
                    calls = {name: _CALLS[what](draw(problem, device=device), name)}
                    seconds[name][length] = time_calls(calls, device, repeats=plan.repeats)[name].median
        result[what] = {
            name: {"lengths": list(points), "seconds": list(points.values()), "slope": cost_slope(points)}
            for name, points in seconds.items()
        }
        floor = [count_floor(replace(plan.shapes[0], length=length), rates)[what]["seconds"] for length in plan.lengths]
        result[what]["floor"] = {"lengths": list(plan.lengths), "seconds": floor, "slope": 1.0}
    torch.set_num_threads(threads)
    return result


def _predicted(points: dict[int, float], length: int) -> float:
    """Seconds at a length, in proportion to the longest one that was measured; 0 before the first."""
    return 0.0 if not points else points[max(points)] * length / max(points)


def cost_slope(points: dict[int, float]) -> float | None:
    """Of the logarithm of seconds against that of their lengths; None for less than two."""
    if len(points) < 2:
        return None
    return float(np.polyfit(np.log(list(points)), np.log(list(points.values())), 1)[0])


def picture(record: dict[str, Any]) -> Any:
    """Seconds against length, one line per backend and the floor."""
    figure = new_figure(10, 4.2)
    sizes = record["plan"]["shapes"][0]
    for axes, what in zip(figure.subplots(1, 2), PASSES, strict=True):
        for index, (name, line) in enumerate(record["lengths"][what].items()):
            style = {"color": "0.3", "linestyle": "--"} if name == "floor" else {"color": COLOURS[index], "marker": "o"}
            slope = "" if name == "floor" or line["slope"] is None else f" (slope {line['slope']:.2f})"
            axes.loglog(line["lengths"], line["seconds"], markersize=4, label=name + slope, **style)
        axes.set_title(what.replace("_", " + "), fontsize=10)
        axes.set_xlabel("tokens")
        axes.set_ylabel("seconds")
        axes.legend(fontsize=8, frameon=False)
        tidy(axes)
    machine = record["machine"]
    where = f"one core of {machine['processor']}" if machine["device"] == "cpu" else machine["device_name"]
    title = f"Selective scan, {sizes['channels']} channels, {sizes['state']} states, float32, on {where}"
    figure.suptitle(title, fontsize=11)
    return figure


def show(record: dict[str, Any]) -> None:
    """Print the comparison, memory and slopes."""
    console = make_console()
    machine = record["machine"]
    device = f"{machine['device_name']}, cores: {machine['cores']}, threads: {machine['threads']}"
    console.print(f"{machine['processor']}, {device}", highlight=False)
    rates = record["rates_per_second"]
    console.print(f"copy {rates['copy_bytes'] / 1e9:.4g} GB/s, {rates['exponentials'] / 1e9:.4g}e9 exponentials/s")
    for name, reason in record["not_timed"].items():
        console.print(f"{name} is not timed: {reason}", markup=False)
    for shape in record["shapes"]:
        console.print(_shape_table(shape))
    for name, each in record["memory"].items():
        console.print(
            f"{name} at length {each['length']}: extra memory forward {each['forward_extra_per_output']:.2f} x output, "
            f"forward + backward {each['forward_backward_extra_per_inputs']:.2f} x inputs"
        )
    for what, lines in record["lengths"].items():
        slopes = (f"{name} {line['slope']:.2f}" for name, line in lines.items() if line["slope"] is not None)
        console.print(f"slope of {what} against length: {', '.join(slopes)}")


def _shape_table(shape: dict[str, Any]) -> Table:
    sizes = ", ".join(f"{name} {shape['problem'][name]}" for name in ("batch", "channels", "state", "length"))
    table = Table(title=f"{sizes}: per token, against {shape['baseline']}")
    for header in ("backend", "length", "parity", "pass", "median s", "low to high", "us/token", "x faster", "x floor"):
        table.add_column(header, justify="left" if header in ("backend", "pass") else "right")
    for name, each in shape["backends"].items():
        for what in PASSES:
            if what not in each:
                table.add_row(name, str(each["length"]), f"{each['parity_error']:.0e}", f"WRONG: {each['not_timed']}")
                continue
            time = each[what]
            faster = time["times_faster_than_baseline"]
            table.add_row(
                name,
                str(each["length"]),
                f"{each['parity_error']:.0e}",
                what.replace("_", " + "),
                f"{time['median']:.4g}",
                f"{time['low']:.4g} to {time['high']:.4g}",
                f"{time['microseconds_per_token']:.3g}",
                "-" if faster is None else f"{faster:.3g}",
                f"{time['times_the_floor']:.3g}",
            )
    return table


if __name__ == "__main__":
    main()
