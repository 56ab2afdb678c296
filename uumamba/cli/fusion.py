"""uumamba fusion."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log
from uumamba.inference.bundle_file import find_bundle


def fusion(
    model: Annotated[Path, typer.Option(help="A run's folder or a bundle (.safetensors) with a FreqFusion decoder.")],
    input_: Annotated[Path, typer.Option("--input", help="The image of the case.")],
    output: Annotated[Path, typer.Option(help="Folder for fusion.png, fusion.csv and fusion.json.")],
    reference: Annotated[
        Path | None, typer.Option(help="Label map whose borders are looked at; else the model's own.")
    ] = None,
    slice_: Annotated[
        int | None, typer.Option("--slice", min=1, help="Slice on the network's grid, from 1; else the fullest.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    verbose: Verbose = False,
) -> None:
    """Draw what a FreqFusion decoder does in one case: its filters and offsets, at borders and elsewhere."""
    find_bundle(model)  # before the seconds that torch takes to be imported
    from uumamba.workflows import fusion as workflow

    show_log(verbose)
    workflow.fusion(model, input_, output, reference=reference, slice_=slice_, device_name=device)
