"""uumamba compare."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log


def compare(
    run_a: Annotated[
        Path, typer.Argument(help="A: a run's folder (fold_0), a folder of folds, or what evaluate wrote.")
    ],
    run_b: Annotated[Path, typer.Argument(help="B: likewise; differences are B - A.")],
    output: Annotated[Path, typer.Option(help="Folder for the tables and the picture.")],
    verbose: Verbose = False,
) -> None:
    """Compare two results case by case: paired differences of Dice, intervals over patients, a test."""
    from uumamba.workflows import compare as workflow

    show_log(verbose)
    workflow.compare(run_a, run_b, output)
