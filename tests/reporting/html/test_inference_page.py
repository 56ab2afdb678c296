"""The page of predictions: cases by status, the order of review, and reasons."""

from pathlib import Path

import pytest

from tests.fakes.html_page import ParsedPage, require_safe
from uumamba.core.errors import InputError
from uumamba.reporting.html.inference_page import cases_to_look_at, inference_page, tables_of_cases
from uumamba.reporting.html.page import Note
from uumamba.reporting.html.render import render_page

FLAGGED = "<script>x</script>"


def page_of(folder: Path, *notes: str) -> ParsedPage:
    """The page as a browser takes it, with notes where pictures would be."""
    page = inference_page(folder, overlays=[Note(note) for note in notes])
    return require_safe(render_page(page, version="1"))


def first_cells(page: ParsedPage, caption: str) -> list[str]:
    """The headings of the rows of the table whose caption begins so."""
    captions = [element for element in page.elements if element.tag in ("caption", "th")]
    starts = [place for place, element in enumerate(captions) if element.tag == "caption"]
    (start,) = [place for place in starts if captions[place].text.startswith(caption)]
    end = min([place for place in starts if place > start], default=len(captions))
    return [element.text for element in captions[start:end] if element.attributes.get("scope") == "row"]


def test_cases_are_counted_by_status_and_listed_with_their_reasons(predicted: Path) -> None:
    page = page_of(predicted)
    assert "4 cases 2 ok 1 flagged 1 failed" in page.texts("ul")[0]
    assert page.texts("h2") == ["Failed and flagged cases", "Order of review", "Every case", "Record"]
    assert first_cells(page, "Cases that failed") == [FLAGGED, "broken"]
    assert first_cells(page, "Cases in the order") == ["broken", FLAGGED, "good"]
    assert first_cells(page, "Every case") == ["good", FLAGGED, "broken", "empty"]
    marks = {row.attributes.get("class", "") for row in page.all("tr") if "the spacing is unusual" in row.text}
    assert marks == {"warn"}
    assert "modelmodel.safetensors" in page.texts("dl")[0]
    assert "uumamba 0.1.0, torch 2.13.0" in page.texts("dl")[0]
    assert "sha256" not in " ".join(page.texts("thead"))


def test_a_confidence_that_does_not_exist_has_its_reason(predicted: Path) -> None:
    (row,) = [row for row in page_of(predicted).all("tr") if row.text.startswith("empty")]
    assert row.text.count("no such structure found") == 2
    assert "0.000" not in row.text


def test_pictures_stand_before_the_long_table(predicted: Path) -> None:
    assert page_of(predicted, "a picture").texts("h2")[2:4] == ["Look at these first", "Every case"]


def test_only_the_table_of_cases_is_needed(predicted: Path) -> None:
    (predicted / "review.csv").unlink()
    (predicted / "run.json").unlink()
    assert page_of(predicted).texts("h2") == ["Failed and flagged cases", "Every case"]


def test_what_to_look_at_first_is_the_order_of_review_without_what_failed(predicted: Path) -> None:
    assert [row["case"] for row in cases_to_look_at(predicted, 5)] == [FLAGGED, "good"]
    assert [row["case"] for row in cases_to_look_at(predicted, 1)] == [FLAGGED]
    (predicted / "review.csv").unlink()
    assert [row["case"] for row in cases_to_look_at(predicted, 5)] == [FLAGGED, "good", "empty"]


def test_the_tables_of_an_array_of_jobs_are_one(predicted: Path) -> None:
    text = (predicted / "cases.csv").read_text()
    (predicted / "cases.csv").rename(predicted / "cases_1_of_2.csv")
    header = text.splitlines()[0].replace("confidence_LV", "confidence_RV")
    (predicted / "cases_2_of_2.csv").write_text(f"{header}\nmore,ok,,,in/a,out/a,1.0,,0.5,abc,0.5\n")
    assert len(tables_of_cases(predicted)) == 2
    page = page_of(predicted)
    assert first_cells(page, "Every case")[-1] == "more"
    assert "5 cases" in page.texts("ul")[0]


def test_a_table_without_a_case_is_an_error(predicted: Path) -> None:
    (predicted / "cases.csv").write_text("case,status\n")
    with pytest.raises(InputError, match=r"cases.csv: holds no case; predict again"):
        inference_page(predicted)
