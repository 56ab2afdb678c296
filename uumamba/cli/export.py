"""uumamba export."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log
from uumamba.inference.bundle_file import find_bundle


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or a bundle (.safetensors).")],
    to: Annotated[str, typer.Option(help="Target: nnunet, a model folder for nnU-Net's own predictor.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write; it must be empty or not there.")],
    verbose: Verbose = False,
) -> None:
    """Write a bundle in the form of another program."""
    find_bundle(model)  # before the seconds that torch takes to be imported
    from uumamba.workflows import export as workflow

    show_log(verbose)
    workflow.export(model, output, target=to)
