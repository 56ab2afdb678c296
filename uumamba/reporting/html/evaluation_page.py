"""The page of a folder that `uumamba evaluate` wrote."""

from collections.abc import Sequence
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.reporting.html.case_table import case_table
from uumamba.reporting.html.cells import form_of
from uumamba.reporting.html.clinical_section import clinical_sections
from uumamba.reporting.html.folder_pictures import other_pictures, picture_blocks
from uumamba.reporting.html.page import Block, Cell, Column, Lines, Note, Page, Row, Section, Table, Tile
from uumamba.reporting.html.records import facts_of, record_section
from uumamba.reporting.html.score_plots import score_plots
from uumamba.reporting.html.summary_file import SummaryFile, read_summary
from uumamba.reporting.html.summary_tables import summary_table
from uumamba.reporting.html.table_file import TableFile, read_table

SCORES = "scores.csv"
_SUMMARY = "summary.json"
_DRAWN_ANEW = ("dice.png", "agreement.png")
_RANKS = ("worst", "second_worst", "middle", "best")
_POLICY = (
    "A structure that the prediction lacks (missed) or invents (false positive) scores Dice 0, and the image's diagonal "
    "as distance. Where neither has it (absent) there is no value. A case without a readable prediction on the "
    "reference's grid is a failed case: “with failures” counts it as a total miss."
)


def evaluation_page(folder: Path) -> Page:
    """All that lies in the folder; only `scores.csv` must be there.

    Raises `InputError` if a table cannot be read. A picture that cannot is named on the page.
    """
    scores = read_table(folder / SCORES, required=("case", "structure"))
    if not scores.rows:
        raise InputError(f"{folder / SCORES}: holds no case; evaluate again")
    path = folder / _SUMMARY
    summary = read_summary(path) if path.is_file() else None
    pictures = [folder / f"overlay_{rank}.png" for rank in _RANKS]
    overlays = [picture for picture in pictures if picture.is_file()]
    known = {*_DRAWN_ANEW, *(picture.name for picture in overlays)}
    sections = [
        Section("Summary", "summary", _summary_blocks(summary)),
        Section("Failed cases", "failed", _failures(scores)),
        *clinical_sections(folder),
        Section("Distribution over cases", "distribution", (score_plots(scores.rows),)),
        Section("Worst, middle and best case", "overlays", picture_blocks(overlays, _captions())),
        other_pictures(folder, known=known),
        Section("Every case", "cases", (_every_case(scores),)),
    ]
    if summary:
        sections.append(record_section(summary.rest, title="Record", anchor="record", skip=("note",)))
    return Page(
        title="Evaluation",
        subtitle=folder.resolve().name,
        tiles=_tiles(scores.rows, summary),
        facts=facts_of(summary.rest if summary else {}, _counts(scores.rows, summary)),
        sections=_last(sections, "patients", "cases", "record"),
    )


def _last(sections: Sequence[Section], *anchors: str) -> tuple[Section, ...]:
    """The long tables to the end of the page."""
    long = {section.anchor: section for section in sections if section.anchor in anchors}
    rest = [section for section in sections if section.anchor not in anchors]
    return (*rest, *(long[anchor] for anchor in anchors if anchor in long))


def _captions() -> dict[str, str]:
    return {f"overlay_{rank}": rank.replace("_", " ").capitalize() for rank in _RANKS}


def _summary_blocks(summary: SummaryFile | None) -> tuple[Block, ...]:
    if summary is None:
        return (Note(f"There is no {_SUMMARY} in this folder, so there are no means; evaluate again.", "warn"),)
    caption = "Mean ± standard deviation over the cases that have a value."
    blocks: list[Block] = [summary_table(summary, caption=caption), Note(_POLICY)]
    if extra := summary.predictions_without_reference:
        blocks.append(Note(f"Not scored, as there is no reference ({len(extra)}):", "warn"))
        blocks.append(Lines(extra))
    return tuple(blocks)


def _failures(scores: TableFile) -> tuple[Block, ...]:
    reasons = {row["case"]: row.get("reason", "") for row in scores.rows if row.get("outcome") == "failed"}
    if not reasons:
        return ()
    rows = tuple(Row((Cell(case), Cell(reason)), "bad") for case, reason in reasons.items())
    return (Table("Cases that could not be compared, and why.", (Column("case"), Column("reason")), rows),)


def _every_case(scores: TableFile) -> Table:
    caption = "Every structure of every case; failed, missed and invented structures are highlighted."
    return case_table(scores, caption=caption, skip=("image_diagonal_mm",))


def _tiles(rows: Sequence[dict[str, str]], summary: SummaryFile | None) -> tuple[Tile, ...]:
    cases = {row["case"] for row in rows}
    failed = len({row["case"] for row in rows if row.get("outcome") == "failed"})
    counts = {"missed": "missed structures", "false positive": "false positives"}
    tiles = [Tile("cases", str(len(cases))), Tile("failed", str(failed), "bad" if failed else "")]
    for outcome, name in counts.items():
        number = sum(row.get("outcome") == outcome for row in rows)
        tiles.append(Tile(name, str(number), "warn" if number else ""))
    dice = summary.overall.get("dice") if summary else None
    if dice and dice.mean is not None:
        tiles.append(Tile("mean Dice", f"{dice.mean:{form_of('dice')}}"))
        if dice.mean_with_failures is not None and failed:
            tiles.append(Tile("mean Dice with failures", f"{dice.mean_with_failures:{form_of('dice')}}"))
    return tuple(tiles)


def _counts(rows: Sequence[dict[str, str]], summary: SummaryFile | None) -> list[tuple[str, str]]:
    facts = [("structures", ", ".join(dict.fromkeys(row["structure"] for row in rows)))]
    if summary and summary.patients:
        facts.append(("patients", str(len(set(summary.patients.values())))))
    return facts
