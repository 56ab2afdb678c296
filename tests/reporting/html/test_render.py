"""A page as HTML: whole, safe whatever the names in it, the same each time, and readable."""

import base64
import hashlib
import re
from importlib.resources import files
from itertools import product

import pytest

from tests.fakes.html_page import NASTY, ParsedPage, require_safe
from uumamba.reporting.html.page import (
    Cell,
    Column,
    Facts,
    Heading,
    Lines,
    Note,
    Page,
    Picture,
    Plot,
    Plots,
    Row,
    Section,
    Table,
    Tile,
)
from uumamba.reporting.html.render import render_page
from uumamba.reporting.html.strip_plot import Point, Strip, strip_plot

STYLE = (files("uumamba.reporting.html") / "template" / "page.css").read_text(encoding="utf-8")


def page_of(text: str) -> Page:
    """A page with every kind of block, all of whose texts are `text`."""
    row = Row((Cell(text, detail=text), Cell(text, 0.5, text, "bad")), "bad")
    table = Table(text, (Column(text), Column(text, numeric=True)), (row,), sortable=True)
    drawing = strip_plot([Strip(text, [Point(text, 0.5, text)])], title=text, form=".3f")
    picture = Picture(text, text, base64.b64encode(b"no matter").decode(), 3, 4)
    blocks = (
        *(table, Heading(text), Note(text, "warn"), Lines((text,))),
        *(Facts(((text, text),)), Plots((Plot(text, drawing),)), picture),
    )
    sections = (Section(text, "first", blocks), Section("never drawn", "empty", ()))
    return Page(text, text, (Tile(text, text, "bad"),), Facts(((text, text),)), sections)


def test_every_text_is_shown_and_none_becomes_markup() -> None:
    plain, nasty = (render_page(page_of(text), version="1.2.3") for text in ("patient", NASTY))
    expected, found = require_safe(plain), require_safe(nasty)
    assert [element.tag for element in found.elements] == [element.tag for element in expected.elements]
    for one, other in zip(expected.elements, found.elements, strict=True):
        if one.tag not in ("style", "script"):
            assert other.text == one.text.replace("patient", NASTY)
            assert other.attributes == {name: value.replace("patient", NASTY) for name, value in one.attributes.items()}
    assert plain.count("patient") == nasty.count("&lt;img src=x onerror")


def test_a_browser_is_told_the_hashes_of_the_one_style_and_the_one_script() -> None:
    content = render_page(page_of("patient"), version="1.2.3")
    policy = next(
        element.attributes["content"]
        for element in ParsedPage(content).all("meta")
        if element.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", content, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_equal_pages_give_equal_bytes_and_say_who_made_them() -> None:
    content = render_page(page_of("patient"), version="1.2.3")
    assert content == render_page(page_of("patient"), version="1.2.3")
    page = ParsedPage(content)
    assert "Made by uumamba 1.2.3." in page.texts("footer")[0]
    assert page.texts("title")[0] == "patient: patient"


def test_a_section_without_a_block_is_not_drawn() -> None:
    page = ParsedPage(render_page(page_of("patient"), version="1"))
    assert page.texts("h2") == ["patient"]
    assert "never drawn" not in page.content


def test_a_table_has_headings_and_tells_a_script_what_to_sort_by() -> None:
    cells = (Cell("patient"), Cell("0.500", 0.5), Cell("–", None, "not there", "none"))
    table = Table("Scores", (Column("case"), Column("Dice", numeric=True), Column("HD", numeric=True)), (Row(cells),))
    content = render_page(Page("t", "s", (), Facts(()), (Section("S", "s", (table,)),)), version="1")
    page = require_safe(content)
    assert [(th.attributes["scope"], th.text.strip()) for th in page.all("th")] == [
        ("col", "case"),
        ("col", "Dice"),
        ("col", "HD"),
        ("row", "patient"),
    ]
    shown, missing = page.all("td")
    assert shown.attributes == {"class": "number", "data-sort": "0.5"}
    assert missing.attributes == {"class": "number none"}
    assert page.texts("small") == ["not there"]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it, of #rrggbb."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_texts_stand_out_from_what_is_behind_them(scheme: str) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)
    sets = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    assert len(sets) == 3
    colours = sets[("light", "dark", "print").index(scheme)]
    pairs = [*product(("text", "quiet", "link", "bad", "warn", "good"), ("back", "panel"))]
    pairs += [(front, f"{state}-back") for state in ("bad", "warn") for front in (state, "text", "quiet")]
    for front, back in pairs:
        high, low = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{front} on {back}"
