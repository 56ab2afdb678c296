"""uumamba check."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Config, Overrides, Verbose
from uumamba.core.log import show_log


def check(
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set as it was downloaded, or of any images.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set, as for preprocess; without it every image in --data is checked alone.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for check.json and check.csv.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """List every problem of a data set's files, each with file, what, and fix.

    Exit code 0 if nothing blocks, 2 if anything does.
    """
    from uumamba.config import config_for, load_config
    from uumamba.workflows import check as workflow

    show_log(verbose)
    settings = load_config(None, overrides or ()) if dataset is None else config_for(dataset, config, overrides or ())
    workflow.check(dataset, data, settings, output=output)
