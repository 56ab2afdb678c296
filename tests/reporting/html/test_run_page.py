"""The page of a training: scores, curves, the model's card."""

from pathlib import Path

import pytest

from tests.fakes.html_page import ParsedPage, require_safe
from uumamba.core.errors import InputError
from uumamba.reporting.html.card import card_blocks
from uumamba.reporting.html.page import Heading, Lines, Note
from uumamba.reporting.html.render import render_page
from uumamba.reporting.html.run_page import run_page

CARD = "# acdc 2d, umamba\n\n## Scores\n\n* LV: 0.8000\n* <b>RV</b>: no value\n"


def page_of(folder: Path, model_card: str | None = None) -> ParsedPage:
    """The page as a browser takes it."""
    return require_safe(render_page(run_page(folder, model_card=model_card), version="1"))


def test_scores_curves_and_the_last_overlay_are_there(trained: Path) -> None:
    page = page_of(trained, CARD)
    assert page.texts("h1") == ["Training plain/fold_0"]
    assert page.texts("h2") == [
        "Scores of the held-out cases", "Training curves", "A validation case at the end", "More pictures",
        "Model card", "Every held-out case", "Every epoch", "Record",
    ]  # fmt: skip
    assert [image.attributes["alt"] for image in page.all("img")] == ["Curves over epochs", "Epoch 0002", "Reliability"]
    assert page.texts("ul")[0] == "2 epochs 0.500 Dice RV 0.800 Dice LV"
    assert "<b>one</b>: 0.750" in page.texts("title")
    assert "<b>RV</b>: no value" in page.texts("li")
    assert "split.training" in page.texts("table")[-1]
    assert "20 values" in page.texts("table")[-1]


def test_a_run_that_has_only_begun_has_a_page_too(trained: Path) -> None:
    for path in (*trained.glob("*.png"), *trained.glob("*/*.png"), trained / "validation.csv", trained / "run.json"):
        path.unlink()
    assert page_of(trained).texts("h2") == ["Every epoch"]


def test_a_broken_history_is_named(trained: Path) -> None:
    (trained / "history.csv").write_text("loss\n1\n")
    with pytest.raises(InputError, match=r"history.csv: the column epoch is missing"):
        run_page(trained)


def test_a_card_becomes_headings_lists_and_paragraphs() -> None:
    assert card_blocks(CARD + "\n\nA text\nof two lines.") == (
        Heading("acdc 2d, umamba"),
        Heading("Scores"),
        Lines(("LV: 0.8000", "<b>RV</b>: no value")),
        Note("A text of two lines."),
    )
