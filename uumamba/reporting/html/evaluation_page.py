"""The page of a folder that `uumamba evaluate` wrote."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.evaluation.output_folder import DOCUMENT, SCORES
from uumamba.reporting.html.case_table import case_table
from uumamba.reporting.html.cells import form_of, title_of
from uumamba.reporting.html.clinical_blocks import agreement_plots, agreement_table
from uumamba.reporting.html.confidence_table import confidence_table
from uumamba.reporting.html.evaluation_file import EvaluationFile, PictureEntry, read_evaluation
from uumamba.reporting.html.folder_pictures import other_pictures, picture_blocks
from uumamba.reporting.html.page import Block, Cell, Column, Facts, Lines, Note, Page, Row, Section, Table, Tile
from uumamba.reporting.html.records import facts_of, record_section, value_text
from uumamba.reporting.html.score_plots import score_plots
from uumamba.reporting.html.summary_tables import group_tables, summary_tables
from uumamba.reporting.html.table_file import TableFile, read_table

_CLINICAL = "clinical.csv"
_DRAWN_ANEW = ("dice.png", "correlation.png", "bland_altman.png")
_POLICY = (
    "A structure that the prediction lacks (missed) or invents (false positive) scores Dice 0 and, as distance, the "
    "image's diagonal. Where neither has it (absent) there is no value. A case without a readable prediction on the "
    "reference's grid is a failed case: “with failures” counts it as a total miss."
)
_NOT_FINISHED = (
    f"There is no {DOCUMENT} in this folder: the evaluation has not come to its end, or is of an older program. Only "
    "the cases are shown; evaluate again."
)


def evaluation_page(folder: Path) -> Page:
    """All that lies in the folder; only `scores.csv` must be there.

    Raises `InputError` if a table cannot be read. A picture that cannot is named on the page.
    """
    scores = read_table(folder / SCORES, required=("case", "structure"))
    if not scores.rows:
        raise InputError(f"{folder / SCORES}: holds no case; evaluate again")
    path = folder / DOCUMENT
    found = read_evaluation(path) if path.is_file() else None
    document = found or EvaluationFile()
    patients = folder / _CLINICAL
    required = ("patient", "measure", "prediction", "reference")
    clinical = read_table(patients, required=required) if patients.is_file() else None
    overlays = [entry for entry in document.pictures if entry.kind == "overlay"]
    known = {*_DRAWN_ANEW, *(entry.file for entry in overlays)}
    return Page(
        title="Evaluation",
        subtitle=folder.resolve().name,
        tiles=_tiles(scores.rows, document),
        facts=_facts(scores.rows, document),
        sections=(
            Section("Summary", "summary", _summary(document) if found else (Note(_NOT_FINISHED, "warn"),)),
            Section("Failed cases", "failed", _failures(scores.rows)),
            Section("Function of the heart", "function", _function(document, clinical)),
            Section("Distribution over cases", "distribution", (score_plots(scores.rows),)),
            Section("Worst, middle and best case", "overlays", _overlays(folder, overlays)),
            Section("Expected and true Dice", "confidence", _confidence(document)),
            Section("Groups of cases", "groups", group_tables(document.groups)),
            other_pictures(folder, known=known),
            Section("Every patient", "patients", _every_patient(clinical)),
            Section("Every case", "cases", (_every_case(scores),)),
            record_section(document.rest, title="Record", anchor="record", skip=("note", "metrics")),
        ),
    )


def _summary(document: EvaluationFile) -> tuple[Block, ...]:
    blocks: list[Block] = [*summary_tables(document.summary), Note(_POLICY)]
    if method := document.rest.get("interval"):
        blocks.append(Note(f"Intervals of 95 %: {value_text(method)}."))
    if extra := document.predictions_without_reference:
        blocks += [Note(f"Not scored, as there is no reference ({len(extra)}):", "warn"), Lines(extra)]
    return tuple(blocks)


def _failures(scores: Sequence[Mapping[str, str]]) -> tuple[Block, ...]:
    reasons = {row["case"]: row.get("reason", "") for row in scores if row.get("outcome") == "failed"}
    if not reasons:
        return ()
    rows = tuple(Row((Cell(case), Cell(reason)), "bad") for case, reason in reasons.items())
    return (Table("Cases that could not be compared, and why.", (Column("case"), Column("reason")), rows),)


def _function(document: EvaluationFile, clinical: TableFile | None) -> tuple[Block, ...]:
    blocks: list[Block] = [agreement_table(document.clinical.measures)] if document.clinical.measures else []
    if clinical is not None:
        blocks.append(agreement_plots(clinical.rows))
    return tuple(blocks)


def _overlays(folder: Path, entries: Sequence[PictureEntry]) -> tuple[Block, ...]:
    captions = {Path(entry.file).stem: (entry.rank or "overlay").replace("_", " ").capitalize() for entry in entries}
    return picture_blocks([folder / Path(entry.file).name for entry in entries], captions)


def _confidence(document: EvaluationFile) -> tuple[Block, ...]:
    return (confidence_table(document.confidence),) if document.confidence.structures else ()


def _every_patient(clinical: TableFile | None) -> tuple[Block, ...]:
    if clinical is None:
        return ()
    caption = "Every measure of every patient; a value that is missing has its reason."
    return (case_table(clinical, caption=caption, value_title=title_of),)


def _every_case(scores: TableFile) -> Table:
    caption = "Every structure of every case; failed, missed and invented structures are highlighted."
    return case_table(scores, caption=caption, skip=("image_diagonal_mm",))


def _tiles(rows: Sequence[Mapping[str, str]], document: EvaluationFile) -> tuple[Tile, ...]:
    failed = len({row["case"] for row in rows if row.get("outcome") == "failed"})
    tiles = [
        Tile("cases", str(len({row["case"] for row in rows}))),
        Tile("failed", str(failed), "bad" if failed else ""),
    ]
    for outcome, name in {"missed": "missed structures", "false positive": "false positives"}.items():
        number = sum(row.get("outcome") == outcome for row in rows)
        tiles.append(Tile(name, str(number), "warn" if number else ""))
    dice = document.summary.overall.get("dice")
    if dice and dice.mean is not None:
        tiles.append(Tile("mean Dice", f"{dice.mean:{form_of('dice')}}"))
        if dice.mean_with_failures is not None and failed:
            tiles.append(Tile("mean Dice with failures", f"{dice.mean_with_failures:{form_of('dice')}}"))
    return tuple(tiles)


def _facts(rows: Sequence[Mapping[str, str]], document: EvaluationFile) -> Facts:
    facts = [("structures", ", ".join(dict.fromkeys(row["structure"] for row in rows)))]
    if patients := {case.patient for case in document.cases if case.patient}:
        facts.append(("patients", str(len(patients))))
    origin = document.rest.get("origin")
    return facts_of({**(origin if isinstance(origin, Mapping) else {}), **document.rest}, facts)
