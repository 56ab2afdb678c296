"""The page of an evaluation says all that the folder holds, and why something is missing."""

import csv
import shutil
from pathlib import Path

import pytest

from tests.fakes.html_page import ParsedPage, require_safe
from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_json
from uumamba.reporting.html.evaluation_page import evaluation_page
from uumamba.reporting.html.render import render_page

NASTY_FILE = "<img src=x onerror=alert(1)>\"'&amp;"


def page_of(folder: Path) -> ParsedPage:
    """The page as a browser takes it."""
    return require_safe(render_page(evaluation_page(folder), version="1"))


def rows_of(page: ParsedPage, caption: str) -> list[str]:
    """The texts of all cells of the table whose caption begins so."""
    (table,) = [table for table in page.texts("table") if table.startswith(caption)]
    return table.split()


@pytest.fixture
def mine(evaluated: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(evaluated, tmp_path / "mine"))


def test_the_page_has_a_section_for_each_thing_that_there_is(evaluated: Path) -> None:
    page = page_of(evaluated)
    assert page.texts("h2") == [
        "Summary", "Failed cases", "Function of the heart", "Distribution over cases", "Worst, middle and best case",
        "Groups of cases", "Every patient", "Every case", "Record",
    ]  # fmt: skip
    assert page.texts("h3") == ["By phase", "By vendor"]
    (tiles,) = [text for text in page.texts("ul") if "missed structures" in text]
    assert tiles.startswith("4 cases 1 failed 1 missed structures 0 false positives")
    facts = page.texts("dl")[0]
    for expected in ("structuresRV, <b>MYO</b>, LV", "patients2", "time2026-11-25T10:00:00+00:00", "predictions/"):
        assert expected in facts


def test_means_are_those_of_the_document(evaluated: Path) -> None:
    summary = read_json(evaluated / "evaluation.json")["summary"]
    text = " ".join(rows_of(page_of(evaluated), "Overlap and distance"))
    for structure in summary["structures"]:
        dice = structure["metrics"]["dice"]
        assert f"{dice['mean']:.3f} ± {dice['sd']:.3f}" in text
        assert f"with failures {dice['mean_with_failures']:.3f}" in text
    assert f"{summary['overall']['dice']['mean']:.3f}" in text


def test_every_row_of_the_scores_is_there_and_what_failed_or_is_missed_is_marked(evaluated: Path) -> None:
    page = page_of(evaluated)
    with (evaluated / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    states = {"bad": "failed", "warn": "missed"}
    for mark, outcome in states.items():
        shown = [row for row in page.all("tr") if row.attributes.get("class") == mark and outcome in row.text]
        assert len(shown) >= sum(score["outcome"] == outcome for score in scores) > 0
    for score in scores:
        assert score["reason"] in page.all("main")[0].text


def test_every_compared_case_is_a_point_that_tells_its_name(evaluated: Path) -> None:
    page = page_of(evaluated)
    titles = page.texts("title")
    for name in ("p1_ED", "p1_ES", NASTY_FILE):
        assert any(title.startswith(f"{name}: ") for title in titles)
    assert not any(title.startswith("p2_ES: ") for title in titles)
    assert "p1_ED: 0.000 (missed)" in titles


def test_the_overlay_is_embedded_and_says_whose_it_is(evaluated: Path) -> None:
    page = page_of(evaluated)
    (image,) = page.all("img")
    assert image.attributes["alt"] == f"{NASTY_FILE} (worst of 3), mean Dice 0.500"
    assert any(text.startswith(f"Worst: {NASTY_FILE}") for text in page.texts("figcaption"))


def test_equal_folders_give_equal_pages(evaluated: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(evaluated, tmp_path / "evaluation"))
    assert page_of(evaluated).content == page_of(other).content


def test_without_the_document_only_the_cases_are_shown_and_the_page_says_why(mine: Path) -> None:
    (mine / "evaluation.json").unlink()
    (mine / "clinical.csv").unlink()
    page = page_of(mine)
    assert "There is no evaluation.json in this folder" in page.texts("p")[1]
    assert page.texts("h2")[-1] == "Every case"


def test_a_picture_that_is_broken_is_named_in_its_place(mine: Path) -> None:
    (mine / "overlay_worst.png").write_text("no picture")
    page = page_of(mine)
    assert not page.all("img")
    assert any("overlay_worst.png: not a whole PNG picture" in text for text in page.texts("p"))


def test_fields_of_a_later_program_are_no_error(mine: Path) -> None:
    document = read_json(mine / "evaluation.json")
    document["summary"]["later"] = document["later"] = {"one": 1}
    write_json(mine / "evaluation.json", document)
    assert "later.one" in page_of(mine).all("main")[0].text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("evaluation.json", "{}", "evaluation.json: not an evaluation of this program"),
        ("evaluation.json", "{", "evaluation.json: not valid JSON"),
        ("scores.csv", "case,structure\n", "scores.csv: holds no case; evaluate again"),
        ("scores.csv", "name\n", "scores.csv: the column case is missing"),
        ("clinical.csv", "patient\n", "clinical.csv: the column measure is missing"),
    ],
)
def test_a_broken_table_is_named(name: str, content: str, message: str, mine: Path) -> None:
    (mine / name).write_text(content)
    with pytest.raises(InputError, match=message):
        evaluation_page(mine)


def test_a_document_that_is_not_understood_says_where(mine: Path) -> None:
    document = read_json(mine / "evaluation.json")
    document["summary"]["structures"][0]["metrics"]["dice"]["mean"] = "high"
    write_json(mine / "evaluation.json", document)
    with pytest.raises(InputError, match=r"evaluation.json: not understood: summary.structures.0.metrics.dice.mean"):
        evaluation_page(mine)
