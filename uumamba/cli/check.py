"""uumamba check."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Config, Overrides, Verbose
from uumamba.core.log import show_log


def check(
    dataset: Annotated[
        str | None, typer.Option(help="Data set, as for preprocess; without it every image in --data is checked alone.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set as it was downloaded, or of any images.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for check.json and check.csv.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """List every problem of a data set's files, each with file, what, and fix.

    Exit code 0 if nothing blocks, 2 if anything does.
    """
    from uumamba.config import config_for
    from uumamba.data.datasets.table import find_dataset
    from uumamba.workflows import check as workflow

    show_log(verbose)
    name = "" if dataset is None else find_dataset(dataset).name
    workflow.check(dataset, data, config_for(name, config, overrides or ()), output=output)
