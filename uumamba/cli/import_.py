"""uumamba import."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Model folder: plans.json, dataset.json, fold_0 and the like.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Bundle to write; of several folds X, one file NAME_fold_X each.")
    ],
    fold: Annotated[
        list[str] | None, typer.Option(help="Fold to import (0, 1, ... or all); may be repeated. Else every fold.")
    ] = None,
    checkpoint: Annotated[str, typer.Option(help="Name of the checkpoint in each fold.")] = "checkpoint_final.pth",
    verbose: Verbose = False,
) -> None:
    """Turn a model that nnU-Net, U-Mamba or UU-Mamba trained into a bundle."""
    from uumamba.workflows import import_ as workflow

    show_log(verbose)
    workflow.import_(folder, output, folds=fold or (), checkpoint=checkpoint)
