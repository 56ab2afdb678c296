"""The doctor's findings for the screen: tables that fit into 80 columns."""

from collections.abc import Sequence

from rich.table import Table

from uumamba.core.console import make_console
from uumamba.scan.probe import SPEED_PROBLEM, Probe, Timing
from uumamba.workflows.examination import DeviceFacts, Facts

_COLUMNS = 80
_NONE = "-"


def show(facts: Facts, problems: Sequence[str], advice: Sequence[str]) -> None:
    """Print tables, then what is broken and what would help; a pipe gets the same 80 columns."""
    console = make_console()
    console.width = min(console.width, _COLUMNS)
    console.print(_software(facts))
    for device in facts.devices:
        if device.scans:
            console.print(f"\nSelective scan on {device.device}: million tokens per second", style="bold")
            console.print(_scans(device))
            console.print(
                f"auto takes {device.auto}. {SPEED_PROBLEM.channels} channels, {SPEED_PROBLEM.state} states, float32; "
                "error: the worst of output and gradients, relative to the float64 reference.",
                highlight=False,
            )
        if device.filters:
            console.print(f"\nAdaptive filter (FreqFusion decoders) on {device.device}", style="bold")
            console.print(_filters(device))
            console.print(f"auto takes {device.auto_filter}.", highlight=False)
    for title, lines in (("Broken", problems), ("Advice", advice)):
        if lines:
            console.print(f"\n{title}", style="bold")
        for line in lines:
            console.print(f"- {line}", markup=False, highlight=False)
    console.print("" if problems else "\nEverything that is needed works.")


def _software(facts: Facts) -> Table:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    packages = dict(facts.packages)
    torch = packages.pop("torch") or _NONE
    table.add_row("uumamba", packages.pop("uumamba") or "not installed")
    table.add_row("Python", f"{facts.python} on {facts.platform}")
    table.add_row("torch", f"{torch}, built for {facts.torch_build}, {facts.threads} of {facts.cores} cores")
    for device in facts.devices:
        table.add_row(device.device, _device(device))
    table.add_row("packages", ", ".join(f"{name} {found or _NONE}" for name, found in packages.items()))
    table.add_row("torchvision", _torchvision(facts))
    return table


def _device(device: DeviceFacts) -> str:
    names = {"total": "{:g} GB", "available": "{:g} free", "limit": "at most {:g} in this container or job"}
    sizes = [text.format(size) for name, text in names.items() if (size := device.memory_gb[name]) is not None]
    parts = [device.model, *sizes, "computes in bf16" if device.bf16 else "no bf16 instructions"]
    return ", ".join(parts)


def _torchvision(facts: Facts) -> str:
    found = facts.torchvision
    said = f" ({found.message})" if found.message else ""
    return f"{found.version or ''} {found.state}{said}; uumamba does not need it".strip()


def _scans(device: DeviceFacts) -> Table:
    table = Table()
    table.add_column("backend", no_wrap=True)
    table.add_column("state", overflow="fold")
    for header in ("error", "forward", "with backward"):
        table.add_column(header, justify="right", no_wrap=True)
    for scan in device.scans:
        table.add_row(scan.backend, _state(scan), *_numbers(scan))
    return table


def _filters(device: DeviceFacts) -> Table:
    table = Table()
    table.add_column("backend", no_wrap=True)
    table.add_column("state", overflow="fold")
    table.add_column("error", justify="right", no_wrap=True)
    for each in device.filters:
        table.add_row(each.backend, _state(each), _error(each))
    return table


def _state(scan: Probe) -> str:
    word = {"good": "works", "wrong": "WRONG", "failed": "FAILS", "unavailable": "not here"}[scan.status]
    return word if scan.reason is None else f"{word}: {scan.reason}"


def _numbers(scan: Probe) -> tuple[str, str, str]:
    return _error(scan), _rate(scan.length, scan.forward), _rate(scan.length, scan.forward_backward)


def _error(each: Probe) -> str:
    return _NONE if each.error is None else f"{each.error:.0e}"


def _rate(tokens: int | None, timing: Timing | None) -> str:
    return _NONE if tokens is None or timing is None else f"{tokens / timing.median / 1e6:.3g}"
