"""uumamba config list | show | copy | check."""

from pathlib import Path
from typing import Annotated

import typer

from uumamba.cli.options import Overrides

app = typer.Typer(help="List, show, copy and check configurations.")
Name = Annotated[str, typer.Argument(help="A shipped configuration's name or a YAML file.")]


@app.command("list")
def list_() -> None:
    """Name the shipped configurations."""
    from uumamba.config import shipped_configs

    for name, path in shipped_configs().items():
        typer.echo(f"{name:<16} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")


@app.command()
def show(name: Name, overrides: Overrides = None) -> None:
    """Print every setting of a configuration, defaults included."""
    from uumamba.config import dump_config, find_config, load_config

    typer.echo(dump_config(load_config(find_config(name), overrides or ())), nl=False)


@app.command()
def copy(name: Name, target: Annotated[Path, typer.Argument(help="New file, never overwritten.")]) -> None:
    """Copy a shipped configuration as the start of your own."""
    from uumamba.config import copy_config

    copy_config(name, target)


@app.command()
def check(name: Name, overrides: Overrides = None) -> None:
    """Say what is wrong with a configuration, all at once."""
    from uumamba.config import find_config, load_config

    path = find_config(name)
    load_config(path, overrides or ())
    typer.echo(f"{path}: good")
