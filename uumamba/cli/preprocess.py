"""uumamba preprocess."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Config, Dataset, Overrides, Verbose, Work
from uumamba.core.log import show_log


def preprocess(
    dataset: Dataset,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data set as it was downloaded; not with layout:place.")
    ] = None,
    work: Work = Path("work"),
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Check every case, plan the networks and store the cases ready for training."""
    from uumamba.config import config_for
    from uumamba.data.datasets.table import find_dataset
    from uumamba.workflows import preprocess as workflow

    show_log(verbose)
    workflow.preprocess(dataset, data, work, config_for(find_dataset(dataset).name, config, overrides or ()))
