"""uumamba demo."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Overrides, Verbose
from uumamba.core.log import show_log


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the generated data and everything made from it.")] = Path(
        "demo"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo there.")] = False,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Run the whole loop on generated beating hearts: preprocess, train, infer, evaluate, in minutes."""
    from uumamba.workflows import demo as workflow

    show_log(verbose)
    workflow.demo(output, overwrite=overwrite, overrides=overrides or ())
