"""The page of a training run's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uumamba.core.files import read_json
from uumamba.core.statistics import mean_of_known
from uumamba.reporting.html.card import card_blocks
from uumamba.reporting.html.case_table import case_table
from uumamba.reporting.html.cells import number_of
from uumamba.reporting.html.folder_pictures import other_pictures, picture_blocks
from uumamba.reporting.html.page import Block, Page, Plot, Plots, Section, Tile
from uumamba.reporting.html.records import facts_of, record_section
from uumamba.reporting.html.strip_plot import Point, Strip, share_limits, strip_plot
from uumamba.reporting.html.table_file import TableFile, read_table

HISTORY = "history.csv"
_RECORD = "run.json"
_VALIDATION = "validation.csv"


def run_page(folder: Path, *, model_card: str | None = None) -> Page:
    """All that lies in the folder; only `history.csv` must be there. `model_card` is the bundle's, in Markdown.

    Raises `InputError` if a table cannot be read.
    """
    history = read_table(folder / HISTORY, required=("epoch",))
    record: Mapping[str, Any] = read_json(folder / _RECORD) if (folder / _RECORD).is_file() else {}
    path = folder / _VALIDATION
    scores = read_table(path, required=("case",)) if path.is_file() else None
    last_overlay = sorted((folder / "overlays").glob("epoch_*.png"))[-1:]
    pictures = [each for each in (folder / "curves.png",) if each.is_file()]
    sections = (
        Section("Scores of the held-out cases", "scores", _plots(scores) if scores else ()),
        Section("Training curves", "curves", picture_blocks(pictures, {"curves": "Curves over epochs"})),
        Section("A validation case at the end", "overlay", picture_blocks(last_overlay)),
        other_pictures(folder, known=("curves.png",)),
        Section("Model card", "card", card_blocks(model_card) if model_card else ()),
        Section("Every held-out case", "cases", _every_case(scores) if scores else ()),
        Section("Every epoch", "epochs", (case_table(history, caption="A row of numbers an epoch."),)),
        record_section(record, title="Record", anchor="record"),
    )
    resolved = folder.resolve()
    return Page(
        title="Training",
        subtitle=f"{resolved.parent.name}/{resolved.name}",
        tiles=_tiles(history, scores),
        facts=facts_of(record),
        sections=sections,
    )


def _tiles(history: TableFile, scores: TableFile | None) -> tuple[Tile, ...]:
    tiles = [Tile("epochs", str(len(history.rows)))]
    for name, values in _by_structure(scores).items() if scores else ():
        mean = mean_of_known(value for _, value in values)
        tiles.append(Tile(f"Dice {name}", "–" if mean is None else f"{mean:.3f}"))
    return tuple(tiles)


def _by_structure(scores: TableFile) -> dict[str, list[tuple[str, float]]]:
    """Case and Dice by structure, of the cases that have one."""
    return {
        name: [(row["case"], value) for row in scores.rows if (value := number_of(row[name])) is not None]
        for name in scores.columns
        if name != "case"
    }


def _plots(scores: TableFile) -> tuple[Block, ...]:
    strips = [Strip(name, [Point(*value) for value in values]) for name, values in _by_structure(scores).items()]
    svg = strip_plot(strips, title="Dice", form=".3f", limits=share_limits(strips))
    return (Plots((Plot("Dice of whole cases at the plan's spacing", svg),)),) if strips else ()


def _every_case(scores: TableFile) -> tuple[Block, ...]:
    return (case_table(scores, caption="Dice of every held-out case; an empty value: the case has no such structure."),)
