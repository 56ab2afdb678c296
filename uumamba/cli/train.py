"""uumamba train."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Config, Dataset, Overrides, Verbose, Work
from uumamba.core.log import show_log


def train(
    dataset: Dataset,
    work: Work = Path("work"),
    fold: Annotated[
        str, typer.Option(help="Fold that is held out for validation (0 to 4), or all to train on every case.")
    ] = "0",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run's folder; else the configuration's name.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Train one fold; the result is one file, model.safetensors."""
    from uumamba.config import config_for
    from uumamba.data.datasets.table import find_dataset
    from uumamba.workflows import train as workflow

    show_log(verbose)
    find_dataset(dataset)
    settings = config_for(dataset, config, overrides or ())
    run = name or Path(config or dataset).stem
    workflow.train(dataset, work, run, settings, fold=fold, resume_run=resume, overwrite=overwrite)
