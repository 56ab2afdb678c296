"""uumamba evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import OnlyFold, Verbose, Work, fold_cases
from uumamba.core.log import show_log


def evaluate(
    predictions: Annotated[Path, typer.Option(help="Folder of predicted label maps.")],
    references: Annotated[Path, typer.Option(help="Folder of reference label maps, or the data set's folder.")],
    output: Annotated[Path, typer.Option(help="Folder for the tables and pictures.")],
    dataset: Annotated[str | None, typer.Option(help="Data set: acdc; adds its clinical measures.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="YAML or JSON file of label names and numbers, instead of --dataset.")
    ] = None,
    fold: OnlyFold = None,
    work: Work = Path("work"),
    verbose: Verbose = False,
) -> None:
    """Compare label maps with references: Dice, distances in mm, volumes in ml, clinical measures."""
    from uumamba.workflows import evaluate as workflow

    show_log(verbose)
    only = fold_cases(work, dataset, fold)
    workflow.evaluate(predictions, references, output, dataset_name=dataset, label_file=labels, only=only)
