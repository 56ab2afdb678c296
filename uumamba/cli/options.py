"""The options that several commands share.

Each command imports its workflow only when it runs, so that help is quick.
"""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.core.errors import InputError

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
    str | None, typer.Option(help="Only the validation cases of this fold (needs --dataset and --work).")
]

OnlyCases = Annotated[
    str | None,
    typer.Option(help="Only these cases: names with commas between, or a file of names (a line each, or CSV: case)."),
]


def fold_cases(work: Path, dataset: str | None, fold: str | None) -> tuple[str, ...] | None:
    """The validation cases of a fold; None, which means every case, if no fold is named."""
    from uumamba.data.work_folder import validation_cases

    if fold is None:
        return None
    if dataset is None:
        raise InputError("--fold needs --dataset, the data set that the fold belongs to")
    return validation_cases(work, dataset, fold)


def chosen_cases(work: Path, dataset: str | None, fold: str | None, cases: str | None) -> tuple[str, ...] | None:
    """The cases of `--cases` or of `--fold`; None, which means every case, without either."""
    from uumamba.evaluation.case_names import read_case_names

    if cases is None:
        return fold_cases(work, dataset, fold)
    if fold is not None:
        raise InputError("--cases and --fold both choose the cases; give one of them")
    return read_case_names(cases)
