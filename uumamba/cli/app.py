"""The program `uumamba`: its commands, its exit codes, and one line for every error.

Exit codes: 0 done, 1 failed, 2 wrong input or configuration, 3 some cases failed (the others are done), 75 a training
or a batch was asked to stop and can be resumed.
"""

import sys
from collections.abc import Sequence

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

app = typer.Typer(
    name="uumamba",
    help="Segment the heart and great vessels in MRI and CT with UU-Mamba. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
        app(arguments)
    except UumambaError as error:
        typer.echo(f"uumamba: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"uumamba: {error.filename or 'system'}: {error.strerror or error}", err=True)
        sys.exit(1)
