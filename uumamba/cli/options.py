"""The options that several commands share.

Each command imports its workflow only when it runs, so that help is quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.core.errors import InputError
from uumamba.data.fold_names import Split

Dataset = Annotated[
    str,
    typer.Option(
        help="Data set: acdc, imagecas, aorta, mnms, or your own: nnunet:DIR, decathlon:DIR, csv:FILE.",
        show_default=False,
    ),
]
Work = Annotated[Path, typer.Option(help="Folder for everything that is made: preprocessed cases, plans, runs.")]
Config = Annotated[
    str | None, typer.Option(help="A shipped configuration's name (uumamba config list) or a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; may be repeated.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say more.")]
OnlyFold = Annotated[
    str | None, typer.Option(help="Only the cases that this fold holds out (needs --dataset and --work).")
]
OnlySplit = Annotated[
    Split | None,
    typer.Option(
        help="Which cases: those that the fold validates on, which is the default, or those that it tests on."
    ),
]

OnlyCases = Annotated[
    str | None,
    typer.Option(help="Only these cases: names with commas between, or a file of names (a line each, or CSV: case)."),
]


def fold_cases(work: Path, dataset: str | None, fold: str | None, split: Split | None) -> tuple[str, ...] | None:
    """The cases that a fold holds out; None, which means every case, if neither fold nor split is named."""
    from uumamba.data.work_folder import held_out_cases

    if fold is None and split is None:
        return None
    if dataset is None:
        raise InputError("--fold and --split need --dataset, the data set that they belong to")
    return held_out_cases(work, dataset, fold, split or "validation")


def chosen_cases(
    work: Path, dataset: str | None, fold: str | None, split: Split | None, cases: str | None
) -> tuple[str, ...] | None:
    """The cases of `--cases`, or of `--fold` and `--split`; None, which means every case, without any."""
    from uumamba.evaluation.case_names import read_case_names

    if cases is None:
        return fold_cases(work, dataset, fold, split)
    if fold is not None or split is not None:
        raise InputError("--cases chooses the cases, and so do --fold and --split; give one or the other")
    return read_case_names(cases)
