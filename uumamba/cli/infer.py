"""uumamba infer."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import OnlyFold, OnlySplit, Verbose, Work, fold_cases
from uumamba.core.log import show_log


def infer(
    model: Annotated[list[Path], typer.Option(help="A run's folder or a bundle (.safetensors); several are averaged.")],
    input_: Annotated[
        list[Path],
        typer.Option("--input", help="Image, folder, pattern ('study/*.nii.gz') or CSV table; may be repeated."),
    ],
    output: Annotated[Path, typer.Option(help="Folder for the label maps and cases.csv.")],
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[IMAGE]...", help="More of --input: what a shell makes of an unquoted pattern."),
    ] = None,
    weight: Annotated[
        list[float] | None, typer.Option(help="Weight of a model in the mean, once for each --model; else all alike.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip the cases that are done and unchanged.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results that are there.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Do every Nth case, as job I of N; at the end --resume alone."),
    ] = None,
    overlap: Annotated[float, typer.Option(min=0.0, max=0.9, help="Overlap of neighbouring windows.")] = 0.5,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average over mirrored copies: slower, often a little better.")
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write entropy and disagreement beside each label map.")
    ] = False,
    no_postprocessing: Annotated[
        bool, typer.Option("--no-postprocessing", help="Leave out what the model's validation chose.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads to compute with; else torch's choice.")] = None,
    max_memory: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="GB", help="Memory it may hold; else what is free. Larger cases fail alone."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="With --fold or --split: the data set they belong to.")] = None,
    fold: OnlyFold = None,
    split: OnlySplit = None,
    work: Work = Path("work"),
    verbose: Verbose = False,
) -> None:
    """Segment images; each label map lies on its image's own grid.

    SIGTERM, SIGUSR1 and Ctrl-C end it after the case in work with exit code 75; the same command with --resume goes on.
    """
    from uumamba.inference.shard import parse_shard
    from uumamba.workflows import infer as workflow

    show_log(verbose)
    options = workflow.InferOptions(
        resume=resume,
        overwrite=overwrite,
        shard=None if shard is None else parse_shard(shard),
        overlap=overlap,
        mirror=mirror,
        uncertainty=uncertainty,
        postprocess=not no_postprocessing,
        device_name=device,
        threads=threads,
        weights=tuple(weight) if weight else None,
        max_memory_gb=max_memory,
    )
    only = fold_cases(work, dataset, fold, split)
    workflow.infer(model, [*input_, *(more or ())], output, options, only=only)
