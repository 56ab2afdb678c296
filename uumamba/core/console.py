"""Where tables and messages are printed."""

from rich.console import Console

_COLUMNS_OF_A_FILE = 140


def make_console(*, stderr: bool = False) -> Console:
    """A console on the output or the error stream; a file or pipe gets long lines, not 80 columns."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _COLUMNS_OF_A_FILE
    return console
