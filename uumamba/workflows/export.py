"""uumamba export: a bundle in the form of another program."""

from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.log import log
from uumamba.inference.bundle import read_bundle
from uumamba.inference.exports.table import find_exporter


def export(model: Path, output: Path, *, target: str) -> None:
    """Write a run's or a file's bundle into the folder `output`, which must be empty or not there."""
    exporter = find_exporter(target)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: is there and not an empty folder; name another one with --output")
    notice = exporter(read_bundle(model), output)
    log.info("%s: written for %s, research use only. %s", output, target, notice)
