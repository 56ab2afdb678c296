"""uumamba evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import OnlyCases, OnlyFold, OnlySplit, Verbose, Work, chosen_cases
from uumamba.core.log import show_log


def evaluate(
    predictions: Annotated[Path, typer.Option(help="Folder of predicted label maps.")],
    references: Annotated[Path, typer.Option(help="Folder of reference label maps, or the data set's folder.")],
    output: Annotated[Path, typer.Option(help="Folder for tables and pictures; an earlier evaluation is replaced.")],
    dataset: Annotated[
        str | None, typer.Option(help="Data set, such as acdc; names structures, patients, phases.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="YAML or JSON of names and numbers, for both sides or for predictions: and references: each."
        ),
    ] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV with a column case or patient, and columns to group by: vendor, disease.")
    ] = None,
    cases: OnlyCases = None,
    fold: OnlyFold = None,
    split: OnlySplit = None,
    work: Work = Path("work"),
    verbose: Verbose = False,
) -> None:
    """Compare label maps with references: Dice, distances in mm, volumes in ml, clinical measures, by group."""
    from uumamba.workflows import evaluate as workflow

    show_log(verbose)
    only = chosen_cases(work, dataset, fold, split, cases)
    workflow.evaluate(
        predictions, references, output, dataset_name=dataset, label_file=labels, only=only, groups=groups, work=work
    )
