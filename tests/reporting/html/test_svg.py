"""Drawing in SVG: escaped, in order, and within its limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.html_page import NASTY, ParsedPage
from uumamba.reporting.html.svg import axis_around, element, picture, text

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=8)


def test_texts_and_values_are_escaped_and_elements_are_not() -> None:
    page = ParsedPage(picture(element("g", text(NASTY, 1, 2), data_name=NASTY), width=3, height=4, description=NASTY))
    assert [each.tag for each in page.elements] == ["svg", "g", "text"]
    drawing, group, words = page.elements
    assert drawing.attributes == {"viewbox": "0 0 3 4", "role": "img", "aria-label": NASTY}
    assert group.attributes == {"data-name": NASTY}
    assert words.text == NASTY


def test_an_underscore_at_the_end_is_dropped_and_numbers_are_short() -> None:
    assert element("line", class_="axis", x1=1 / 3, y1=-0.001) == '<line class="axis" x1="0.33" y1="0"></line>'


@given(VALUES)
def test_an_axis_holds_all_its_values_in_their_order(values: list[float]) -> None:
    axis = axis_around(values, 10, 200)
    assert axis.low < axis.high
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(10 <= place <= 200 for place in places)


@given(VALUES)
def test_ticks_are_round_and_on_the_axis(values: list[float]) -> None:
    axis = axis_around(values, 200, 10)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 7
    for place, label in ticks:
        assert 10 - 1e-6 <= place <= 200 + 1e-6
        assert place == pytest.approx(axis.place(float(label)), abs=0.2)


def test_without_values_an_axis_goes_around_one() -> None:
    assert [label for _, label in axis_around([], 0, 1, margin=0).ticks()][:1] == ["0"]
