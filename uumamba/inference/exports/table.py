"""The export targets."""

from collections.abc import Callable, Mapping
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.inference.bundle import Bundle
from uumamba.inference.exports.nnunet import export_nnunet

Exporter = Callable[[Bundle, Path], str]
"""Writes a bundle into a folder that is empty or not there, and says in one line what its user must know."""

EXPORTERS: Mapping[str, Exporter] = {
    "nnunet": export_nnunet,
}


def find_exporter(name: str) -> Exporter:
    """The exporter of this name, else `InputError`."""
    if name not in EXPORTERS:
        raise InputError(f"--to {name}: no such target; choose one of {', '.join(EXPORTERS)}")
    return EXPORTERS[name]
