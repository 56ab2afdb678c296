"""The adaptive filter: speed and memory of every backend, beside the ways to write it in torch.

    python benchmarks/filtering.py --device cpu -o OUT

writes OUT/filtering.json and OUT/filtering.png. What fails its parity check is named and not timed.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from measure import alone, extra_memory_bytes, machine_record
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from uumamba.core.console import make_console
from uumamba.core.device import choose_device
from uumamba.core.errors import ConfigError
from uumamba.core.files import write_json
from uumamba.core.progress import CONSOLE
from uumamba.filtering import BACKENDS, adaptive_filter, taps
from uumamba.filtering.window import Window
from uumamba.reporting.style import COLOURS, new_figure, save_figure, tidy
from uumamba.scan.probe import FAILURES, failure, time_calls

PASSES = ("forward", "forward_backward")
_TOLERANCE = 1e-5
_ROWS = 32  # in a block; of 8 to 32 the fastest


@dataclass(frozen=True)
class Problem:
    """One filtering of a batch of 1 with one group."""

    channels: int
    high: tuple[int, int, int]
    kernel_size: tuple[int, int, int]
    scale: tuple[int, int, int]

    @property
    def window(self) -> Window:
        """As the operator takes it."""
        return Window(self.kernel_size, self.scale)

    def draw(self, device: torch.device, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """The map, kernels that sum to 1, and the output's gradient."""
        generator = torch.Generator().manual_seed(0)
        low, count = self.window.low(self.high), self.window.taps
        shapes = (self.channels, *low), (count, *self.high), (self.channels, *self.high)
        x, kernels, grad = (torch.randn(1, *shape, generator=generator) for shape in shapes)
        return [tensor.to(device, dtype) for tensor in (x, kernels.softmax(1), grad)]


@dataclass(frozen=True)
class Plan:
    """What is measured; unfold not where its products alone would take more than `most_gigabytes`.

    Memory is measured in a process of its own, or at once: then what was freed before hides some of it.
    """

    problems: tuple[Problem, ...]
    repeats: int = 3
    most_gigabytes: float = 4.0
    own_process: bool = True


_HIGH, _CUBE, _PLATE, _SAME, _TWICE = (20, 128, 112), (5, 5, 5), (1, 5, 5), (1, 1, 1), (1, 2, 2)
_FULL = Plan(
    (
        Problem(64, _HIGH, _CUBE, _SAME),
        Problem(64, _HIGH, _CUBE, _TWICE),
        Problem(64, _HIGH, _PLATE, _SAME),
        Problem(64, _HIGH, _PLATE, _TWICE),
        Problem(8, _HIGH, _CUBE, _TWICE),
    )
)
_QUICK = Plan((Problem(4, (2, 12, 13), _CUBE, _TWICE),), repeats=2, own_process=False)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for filtering.json and filtering.png")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; its figures mean nothing")
    options = parser.parse_args()
    try:
        device = choose_device(options.device)
    except ConfigError as error:
        parser.error(str(error))
    plan = _QUICK if options.quick else _FULL
    shapes = [compare(problem, plan, device) for problem in plan.problems]
    record = {"machine": machine_record(device), "plan": asdict(plan), "shapes": shapes}
    write_json(options.output / "filtering.json", record)
    save_figure(picture(record), options.output / "filtering.png")
    show(record)


def compare(problem: Problem, plan: Plan, device: torch.device) -> dict[str, Any]:
    """All ways side by side on one shape, each checked at this shape before, against taps in float64."""
    with CONSOLE.status(f"parity at {problem}"):
        truth = results("taps", problem, device, torch.float64)
        found = {name: check(name, problem, plan, device, truth) for name in (*BACKENDS, "blocks", "unfold")}
    timed = [name for name, each in found.items() if each["not_timed"] is None]
    for what in PASSES:
        with CONSOLE.status(f"{what} at {problem}"):
            tensors = problem.draw(device)
            calls = {name: _call(name, what, problem, tensors) for name in timed}
            times = time_calls(calls, device, repeats=plan.repeats)
        fastest = min(times[name].median for name in timed)
        for name in timed:
            found[name][what] = asdict(times[name]) | {"times_the_fastest": times[name].median / fastest}
    with CONSOLE.status(f"memory at {problem}"):
        arguments = timed, problem, device
        measured = alone(extra_memory, *arguments) if plan.own_process else extra_memory(*arguments)
        for name, extra in measured.items():
            for what in PASSES:
                found[name][what]["extra_bytes"] = extra[what]
    return {"problem": asdict(problem), "output_bytes": 4 * problem.channels * prod(problem.high), "ways": found}


def check(name: str, problem: Problem, plan: Plan, device: torch.device, truth: list[Tensor]) -> dict[str, Any]:
    """The worst relative error of output and gradients, and why it is not timed, or None."""
    reason, error = None, None
    products = 4 * problem.channels * problem.window.taps * prod(problem.high) / 1e9
    if name == "unfold" and products > plan.most_gigabytes:
        reason = f"its products alone take {products:.1f} GB, allowed are {plan.most_gigabytes:g}"
    elif name in BACKENDS:
        reason = BACKENDS[name].why_not(device, torch.float32)
    if reason is None:
        try:
            ours = results(name, problem, device, torch.float32)
            error = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(ours, truth, strict=True))
            reason = None if error <= _TOLERANCE else f"it is off by {error:.1e}, allowed is {_TOLERANCE:.0e}"
        except FAILURES as failed:
            reason = failure(failed)
    return {"parity_error": error, "not_timed": reason}


def results(name: str, problem: Problem, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """The output and the gradients of map and kernels."""
    return _call(name, "forward_backward", problem, problem.draw(device, dtype))()


def _call(name: str, what: str, problem: Problem, tensors: list[Tensor]) -> Callable[[], list[Tensor]]:
    """The forward pass without gradients, or the whole with those of map and kernels."""
    x, kernels, grad = tensors
    way = {"blocks": blocks, "unfold": unfold}.get(name) or backend(name)

    def call() -> list[Tensor]:
        if what == "forward":
            with torch.no_grad():
                return [way(x, kernels, problem)]
        leaves = [tensor.detach().requires_grad_() for tensor in (x, kernels)]
        out = way(*leaves, problem)
        return [out.detach(), *torch.autograd.grad(out, leaves, grad)]

    return call


def backend(name: str) -> Callable[[Tensor, Tensor, Problem], Tensor]:
    """One of the operator's own."""

    def call(x: Tensor, kernels: Tensor, problem: Problem) -> Tensor:
        return adaptive_filter(x, kernels, kernel_size=problem.kernel_size, scale=problem.scale, backend=name)

    return call


def _bordered(x: Tensor, problem: Problem) -> Tensor:
    return functional.pad(x, [radius for radius in reversed(problem.window.radius) for _ in range(2)])


def unfold(x: Tensor, kernels: Tensor, problem: Problem) -> Tensor:
    """The usual way: the window of every place, times its kernel, summed; autograd does the gradients."""
    seen = problem.window.enlarge(_bordered(x, problem).unsqueeze(1)).squeeze(1)
    axes = zip(problem.kernel_size, problem.scale, problem.high, strict=True)
    for axis, (size, step, length) in enumerate(axes, start=2):
        seen = seen.unfold(axis, (size - 1) * step + 1, 1)[..., ::step].narrow(axis, 0, length)
    weights = kernels.unflatten(1, problem.kernel_size).permute(0, 4, 5, 6, 1, 2, 3).unsqueeze(1)
    return (seen * weights).sum((-3, -2, -1))


def blocks(x: Tensor, kernels: Tensor, problem: Problem) -> Tensor:
    """The fastest in torch alone that we found: tap after tap on blocks of rows that stay in the cache."""
    return _Blocks.apply(problem, _bordered(x, problem).unsqueeze(1), kernels.unsqueeze(1)).squeeze(1)


class _Blocks(torch.autograd.Function):
    """The backend taps, block by block: some rows of one slice."""

    @staticmethod
    def forward(ctx: Any, problem: Problem, x: Tensor, kernels: Tensor) -> Tensor:
        ctx.problem = problem
        ctx.save_for_backward(x, kernels)
        out = x.new_empty(*x.shape[:3], *problem.high)
        for low, high in _blocks(problem):
            out[high] = taps.forward(x[low], kernels[high], problem.window)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor]:
        x, kernels = ctx.saved_tensors
        by_x, by_kernels = torch.zeros_like(x), torch.empty_like(kernels)
        for low, high in _blocks(ctx.problem):
            share, by_kernels[high] = taps.backward(grad[high], x[low], kernels[high], ctx.problem.window, (True, True))
            by_x[low] += share
        return None, by_x, by_kernels


def _blocks(problem: Problem) -> list[tuple[Any, Any]]:
    """Places of blocks in the map with its border, and in kernels and output."""
    steps, sizes = (problem.scale[0], _ROWS * problem.scale[1]), problem.kernel_size
    found = []
    for d in range(0, problem.high[0], steps[0]):
        for h in range(0, problem.high[1], steps[1]):
            high = slice(d, min(d + steps[0], problem.high[0])), slice(h, min(h + steps[1], problem.high[1]))
            first = d // problem.scale[0], h // problem.scale[1]
            lines = -(-(high[1].stop - h) // problem.scale[1]) + sizes[1] - 1
            low = slice(first[0], first[0] + sizes[0]), slice(first[1], first[1] + lines)
            found.append(((..., *low, slice(None)), (..., *high, slice(None))))
    return found


def extra_memory(names: list[str], problem: Problem, device: torch.device) -> dict[str, dict[str, int]]:
    """Bytes beyond the arguments of each way and pass; small calls before, so that what loads does not count."""
    choose_device(device.type)
    extra: dict[str, dict[str, int]] = {}
    small = _QUICK.problems[0]
    tensors, small_tensors = problem.draw(device), small.draw(device)
    for name in names:
        _call(name, "forward_backward", small, small_tensors)()
        extra[name] = {what: extra_memory_bytes(_call(name, what, problem, tensors), device) for what in PASSES}
    return extra


def picture(record: dict[str, Any]) -> Any:
    """Seconds of every way, a group of bars for each shape."""
    figure = new_figure(10, 4.2)
    names = list(record["shapes"][0]["ways"])
    for axes, what in zip(figure.subplots(1, 2), PASSES, strict=True):
        for index, name in enumerate(names):
            points = [
                (place + index / (len(names) + 1), shape["ways"][name][what]["median"])
                for place, shape in enumerate(record["shapes"])
                if what in shape["ways"][name]
            ]
            if points:
                places, seconds = zip(*points, strict=True)
                axes.bar(places, seconds, width=1 / (len(names) + 1), align="edge", color=COLOURS[index], label=name)
        axes.set_yscale("log")
        axes.set_xticks([place + 0.4 for place in range(len(record["shapes"]))], [_label(s) for s in record["shapes"]])
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(what.replace("_", " + "), fontsize=10)
        axes.set_ylabel("seconds")
        axes.legend(fontsize=8, frameon=False)
        tidy(axes)
    return figure


def _label(shape: dict[str, Any]) -> str:
    problem = shape["problem"]
    sizes = ("x".join(map(str, problem[name])) for name in ("kernel_size", "scale"))
    return f"{problem['channels']} channels\n" + "\nscale ".join(sizes)


def show(record: dict[str, Any]) -> None:
    """Print a table for each shape."""
    console, machine = make_console(), record["machine"]
    console.print(f"{machine['processor']}, {machine['device_name']}, threads: {machine['threads']}", highlight=False)
    for shape in record["shapes"]:
        table = Table(title=f"{_label(shape)}, output {shape['output_bytes'] / 1e6:.0f} MB".replace("\n", ", "))
        for header in ("way", "parity", "pass", "median s", "low to high", "x fastest", "extra MB"):
            table.add_column(header, justify="left" if header in ("way", "pass") else "right")
        for name, each in shape["ways"].items():
            for what in PASSES if each["not_timed"] is None else ():
                time = each[what]
                table.add_row(
                    name,
                    f"{each['parity_error']:.0e}",
                    what.replace("_", " + "),
                    f"{time['median']:.3g}",
                    f"{time['low']:.3g} to {time['high']:.3g}",
                    f"{time['times_the_fastest']:.2f}",
                    f"{time['extra_bytes'] / 1e6:.0f}",
                )
        console.print(table)
        for name, each in shape["ways"].items():
            if each["not_timed"] is not None:
                console.print(f"{name} is not timed: {each['not_timed']}", markup=False)


if __name__ == "__main__":
    main()
