"""Pictures of the predictions that a person should look at first."""

from pathlib import Path

from uumamba.reporting.html.page import Block


def overlays_of_predictions(folder: Path) -> tuple[Block, ...]:
    return ()
