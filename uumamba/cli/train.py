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
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Train one fold; the result is one file, model.safetensors."""
    from uumamba.config import config_for
    from uumamba.workflows import train as workflow

    show_log(verbose)
    settings = config_for(dataset, config, overrides or ())
    name = Path(config).stem if config else dataset
    workflow.train(dataset, work, name, settings, fold=fold, resume_run=resume, overwrite=overwrite)
