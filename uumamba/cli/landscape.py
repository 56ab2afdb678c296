"""uumamba landscape."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log
from uumamba.inference.bundle_file import find_bundle


def landscape(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A finished run's folder, <work>/<data set>/runs/<name>/fold_<n>.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for landscape.json and landscape.png; else RUN.")
    ] = None,
    batches: Annotated[int, typer.Option(min=1, help="Batches of training patches to measure the loss on.")] = 4,
    rho: Annotated[float, typer.Option(min=0, help="Distance of the ascent step, in the weights' 2-norm.")] = 0.05,
    two_dimensional: Annotated[
        bool, typer.Option("--two-dimensional", help="Draw a plane through the weights too, 15 x 15 points.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda; else the run's.")] = None,
    verbose: Verbose = False,
) -> None:
    """Measure how sharp the minimum is that a run found: curvature of its loss, and a picture of it."""
    find_bundle(run)  # before the seconds that torch takes to be imported
    from uumamba.workflows import landscape as workflow

    show_log(verbose)
    workflow.landscape(run, output, batches=batches, rho=rho, two_dimensional=two_dimensional, device=device)
