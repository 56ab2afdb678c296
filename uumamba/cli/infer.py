"""uumamba infer."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Verbose
from uumamba.core.log import show_log


def infer(
    model: Annotated[list[Path], typer.Option(help="A run's folder or a bundle (.safetensors); several are averaged.")],
    input_: Annotated[list[Path], typer.Option("--input", help="Image or folder of images; may be repeated.")],
    output: Annotated[Path, typer.Option(help="Folder for the label maps and cases.csv.")],
    resume: Annotated[bool, typer.Option("--resume", help="Skip the cases that are done and unchanged.")] = False,
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Overlap of neighbouring windows.")] = 0.5,
    mirror: Annotated[bool, typer.Option("--mirror", help="Average over mirrored copies: slower, often a little better.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    verbose: Verbose = False,
) -> None:
    """Segment images; each label map lies on its image's own grid."""
    from uumamba.workflows import infer as workflow

    show_log(verbose)
    workflow.infer(model, input_, output, resume=resume, overlap=overlap, mirror=mirror, device=device)
