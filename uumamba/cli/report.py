"""uumamba report."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log


def report(
    folder: Annotated[Path, typer.Argument(help="A folder that evaluate, infer or train wrote.")],
    output: Annotated[
        Path | None, typer.Option(help="The page's file; report.html in the folder if not given.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """One self-contained HTML page of an evaluation, of predictions or of a training."""
    from uumamba.workflows import report as workflow

    show_log(verbose)
    workflow.report(folder, output)
