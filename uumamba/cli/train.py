"""uumamba train."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Config, Dataset, Overrides, Verbose, Work
from uumamba.core.errors import InputError
from uumamba.core.log import show_log


def train(
    dataset: Dataset,
    work: Work = Path("work"),
    fold: Annotated[
        str | None,
        typer.Option(help="Fold that is held out for validation (0 to 4), or all to train on every case; else 0."),
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="Several folds one after the other, with a summary: 0-4, or 0,2,3.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="Bundle or run whose weights to start from (fine-tuning).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run's folder; else the configuration's name.")] = None,
    config: Config = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Train one fold, or several; the result of each is one file, model.safetensors.

    SIGTERM, SIGUSR1 and Ctrl-C write a checkpoint and end with exit code 75; the same command with --resume goes on.
    """
    show_log(verbose)
    if resume and overwrite:
        raise InputError("--resume and --overwrite: give one of them")
    from uumamba.config import config_for, run_name
    from uumamba.data.work_folder import work_folder_of
    from uumamba.workflows import train as workflow

    known = work_folder_of(work, dataset).read_description().name
    settings = config_for(known, config, overrides or ())
    run = name or run_name(known, config)
    chosen = workflow.chosen_folds(dataset, work, fold=fold, folds=folds)
    start = workflow.Start(resume=resume, overwrite=overwrite, init=init)
    workflow.train(dataset, work, run, settings, folds=chosen, start=start)
