"""The options that several commands share; each command imports its workflow only when it runs, so that help is quick."""

from pathlib import Path
from typing import Annotated

import typer

Dataset = Annotated[str, typer.Option(help="Data set: acdc.", show_default=False)]
Work = Annotated[Path, typer.Option(help="Folder for everything that is made: preprocessed cases, plans, runs.")]
Config = Annotated[str | None, typer.Option(help="A shipped configuration's name (uumamba config list) or a YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one setting; may be repeated.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say more.")]
