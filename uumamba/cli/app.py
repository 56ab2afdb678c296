"""The program `uumamba`: its commands, its exit codes, and one line for every error.

Exit codes: 0 done, 1 failed, 2 wrong input or configuration, 3 some cases failed (the others are done), 75 a training
or a batch was asked to stop and can be resumed.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from uumamba.cli import (
    calibrate,
    check,
    compare,
    config,
    demo,
    doctor,
    evaluate,
    export,
    fusion,
    import_,
    infer,
    landscape,
    measure,
    preprocess,
    report,
    train,
)
from uumamba.core.errors import UumambaError
from uumamba.core.versions import installed_versions

app = typer.Typer(
    name="uumamba",
    help="Segment the heart and great vessels in MRI and CT with UU-Mamba. Research use only.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# What is wrong in a command line: click's own error, which typer brings along or imports.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


@app.callback()
def uumamba(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Without a command there is help, and nothing else to do."""
    if version:
        typer.echo(f"uumamba {installed_versions().get('uumamba', '(not installed)')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


app.command()(check.check)
app.command()(preprocess.preprocess)
app.command()(train.train)
app.command()(infer.infer)
app.command()(evaluate.evaluate)
app.command()(measure.measure)
app.command()(calibrate.calibrate)
app.command()(compare.compare)
app.command()(report.report)
app.command("import")(import_.import_)
app.command()(export.export)
app.command()(landscape.landscape)
app.command()(fusion.fusion)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.add_typer(config.app, name="config")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line (the process's own unless given) and exit; errors go to the error stream, one line each."""
    try:
        sys.exit(app(arguments, prog_name="uumamba", standalone_mode=False))
    except _UsageError as error:
        typer.echo(f"uumamba: {_in_one_line(error)}", err=True)
        sys.exit(2)
    except UumambaError as error:
        typer.echo(f"uumamba: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"uumamba: {error.filename or 'system'}: {error.strerror or error}", err=True)
        sys.exit(1)


def _in_one_line(error: Any) -> str:
    """What is wrong with a command line, and where help is."""
    what = " ".join(error.format_message().split()).rstrip(".")
    where = error.ctx.command_path if error.ctx else "uumamba"
    return f"{what[:1].lower()}{what[1:]}; see `{where} --help`"
