"""Every case is a point that tells its name, over the quartiles of its structure."""

import numpy as np
import pytest

from tests.fakes.html_page import NASTY, ParsedPage
from uumamba.reporting.html.strip_plot import Point, Strip, share_limits, strip_plot

VALUES = (0.52, 0.91, 0.88, 0.95, 0.0)
POINTS = [Point(f"case {number}", value) for number, value in enumerate(VALUES[:-1])]
MISSED = Point(NASTY, VALUES[-1], "missed", stands_out=True)


def test_every_case_is_a_point_that_tells_its_name_and_value() -> None:
    page = ParsedPage(strip_plot([Strip("RV", [*POINTS, MISSED])], title="Dice", form=".2f", limits=(0, 1)))
    expected = ["case 0: 0.52", "case 1: 0.91", "case 2: 0.88", "case 3: 0.95", f"{NASTY}: 0.00 (missed)"]
    assert page.texts("title") == expected
    kinds = [circle.attributes["class"] for circle in page.all("circle")]
    assert kinds == ["point"] * 4 + ["missed"]
    places = [float(circle.attributes["cx"]) for circle in page.all("circle")]
    assert np.argsort(places).tolist() == np.argsort(VALUES).tolist()


def test_the_box_and_the_summary_are_the_quartiles() -> None:
    page = ParsedPage(strip_plot([Strip("RV", [*POINTS, MISSED])], title="Dice", form=".2f", limits=(0, 1)))
    low, median, high = np.percentile(VALUES, [25, 50, 75])
    said = f"RV: median {median:.2f} ({low:.2f} to {high:.2f}), n = 5, 1 as a ring"
    assert page.all("svg")[0].attributes["aria-label"] == f"Dice of every case. {said}"
    (box,) = page.all("rect")
    width = 560 - 2 * 14
    assert float(box.attributes["x"]) == pytest.approx(14 + width * low, abs=0.01)
    assert float(box.attributes["width"]) == pytest.approx(width * (high - low), abs=0.01)


def test_structures_keep_their_colours_and_one_without_a_value_says_so() -> None:
    page = ParsedPage(strip_plot([Strip("RV", []), Strip("LV", POINTS)], title="Dice", form=".2f"))
    assert "RV no value" in page.texts("text")
    assert {circle.attributes["fill"] for circle in page.all("circle")} == {"#009E73"}


def test_the_same_values_give_the_same_drawing() -> None:
    one, other = (strip_plot([Strip("RV", POINTS)], title="Dice", form=".2f") for _ in range(2))
    assert one == other


def test_the_limits_of_shares_go_from_the_tenth_below_to_one() -> None:
    assert share_limits([Strip("RV", POINTS)]) == (0.5, 1.0)
    assert share_limits([Strip("RV", [*POINTS, MISSED])]) == (0.0, 1.0)
    assert share_limits([]) == (0.0, 1.0)
