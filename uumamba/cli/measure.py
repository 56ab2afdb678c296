"""uumamba measure."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log


class Kind(StrEnum):
    """What a mask shows."""

    AORTA = "aorta"
    CORONARY = "coronary"
    VENTRICLE = "ventricle"


def measure(
    mask: Annotated[
        list[Path], typer.Argument(help="Label map (NIfTI, NRRD, MetaImage) or folder; several may be given.")
    ],
    kind: Annotated[Kind, typer.Option(help="What the masks show.")],
    output: Annotated[
        Path, typer.Option(help="Folder for measures.csv, and a JSON file and a picture of each mask.")
    ] = Path("measures"),
    labels: Annotated[
        Path | None, typer.Option(help="YAML or JSON of the structures' names and numbers: what is measured.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the measures that are there.")] = False,
    verbose: Verbose = False,
) -> None:
    """Measure vessels (centrelines, branches, breaks, diameters) or ventricles (volumes, mass) of label maps."""
    from uumamba.workflows import measure as workflow

    show_log(verbose)
    workflow.measure(mask, output, kind=kind.value, label_file=labels, overwrite=overwrite)
