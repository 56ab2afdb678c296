"""uumamba calibrate."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Dataset, Verbose, Work
from uumamba.core.log import show_log
from uumamba.inference.bundle_file import find_bundle


def calibrate(
    model: Annotated[
        Path, typer.Option(help="A run's folder or a bundle (.safetensors), which then keeps the result.")
    ],
    dataset: Dataset,
    work: Work = Path("work"),
    fold: Annotated[
        str | None, typer.Option(help="Fold whose validation cases are used; else the model's own.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for calibration.json and the pictures; else the model's.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    verbose: Verbose = False,
) -> None:
    """Fit how far a model's probabilities may be believed, on cases that it was not trained on."""
    find_bundle(model)  # before the seconds that torch takes to be imported
    from uumamba.workflows import calibrate as workflow

    show_log(verbose)
    workflow.calibrate(model, work, dataset, fold=fold, output=output, device_name=device)
