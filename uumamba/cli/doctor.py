"""uumamba doctor."""

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Say what this machine can run and how fast, and what would help."""
    from uumamba.workflows import doctor as workflow

    workflow.doctor(as_json=as_json)
