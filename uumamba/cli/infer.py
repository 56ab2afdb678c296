"""uumamba infer."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import OnlyFold, OnlySplit, Verbose, Work, fold_cases
from uumamba.core.log import show_log
from uumamba.inference.bundle_file import find_bundle

Models = Annotated[list[Path], typer.Option(help="A run's folder or a bundle (.safetensors); several are averaged.")]
Inputs = Annotated[
    list[Path],
    typer.Option("--input", help="Image, folder, pattern ('study/*.nii.gz') or CSV table; may be repeated."),
]
Output = Annotated[Path, typer.Option(help="Folder for the label maps and cases.csv.")]
MoreInputs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[IMAGE]...", help="More of --input: what a shell makes of an unquoted pattern."),
]
Weights = Annotated[
    list[float] | None, typer.Option(help="Weight of a model in the mean, once for each --model; else all alike.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Skip the cases that are done and unchanged.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results that are there.")]
OneShard = Annotated[
    str | None, typer.Option(metavar="I/N", help="Do every Nth case, as job I of N; at the end --resume alone.")
]
Overlap = Annotated[float, typer.Option(min=0.0, max=0.9, help="Overlap of neighbouring windows.")]
Mirror = Annotated[bool, typer.Option("--mirror", help="Average over mirrored copies: slower, often a little better.")]
Uncertainty = Annotated[
    bool, typer.Option("--uncertainty", help="Write entropy and disagreement beside each label map.")
]
NoPostprocessing = Annotated[
    bool, typer.Option("--no-postprocessing", help="Leave out what the model's validation chose.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads to compute with; else torch's choice.")]
MaxMemory = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="GB", help="Memory it may hold; else what is free. Larger cases fail alone."),
]
FoldsDataset = Annotated[str | None, typer.Option(help="With --fold or --split: the data set they belong to.")]


def infer(
    model: Models,
    input_: Inputs,
    output: Output,
    more: MoreInputs = None,
    weight: Weights = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    shard: OneShard = None,
    overlap: Overlap = 0.5,
    mirror: Mirror = False,
    uncertainty: Uncertainty = False,
    no_postprocessing: NoPostprocessing = False,
    device: Device = "auto",
    threads: Threads = None,
    max_memory: MaxMemory = None,
    dataset: FoldsDataset = None,
    fold: OnlyFold = None,
    split: OnlySplit = None,
    work: Work = Path("work"),
    verbose: Verbose = False,
) -> None:
    """Segment images; each label map lies on its image's own grid.

    SIGTERM, SIGUSR1 and Ctrl-C end it after the case in work with exit code 75; the same command with --resume goes on.
    """
    for path in model:
        find_bundle(path)  # before the seconds that torch takes to be imported
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
