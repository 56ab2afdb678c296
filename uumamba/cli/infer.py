"""uumamba infer."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import OnlyFold, Verbose, Work, fold_cases
from uumamba.core.log import show_log


def infer(
    model: Annotated[list[Path], typer.Option(help="A run's folder or a bundle (.safetensors); several are averaged.")],
    input_: Annotated[list[Path], typer.Option("--input", help="Image or folder of images; may be repeated.")],
    output: Annotated[Path, typer.Option(help="Folder for the label maps and cases.csv.")],
    resume: Annotated[bool, typer.Option("--resume", help="Skip the cases that are done and unchanged.")] = False,
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Overlap of neighbouring windows.")] = 0.5,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average over mirrored copies: slower, often a little better.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dataset: Annotated[str | None, typer.Option(help="With --fold: the data set that the fold belongs to.")] = None,
    fold: OnlyFold = None,
    work: Work = Path("work"),
    verbose: Verbose = False,
) -> None:
    """Segment images; each label map lies on its image's own grid."""
    from uumamba.workflows import infer as workflow

    show_log(verbose)
    only = fold_cases(work, dataset, fold)
    workflow.infer(model, input_, output, resume=resume, overlap=overlap, mirror=mirror, device_name=device, only=only)
