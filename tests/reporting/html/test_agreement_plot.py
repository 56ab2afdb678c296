"""Correlation and differences of every patient."""

import numpy as np
import pytest

from tests.fakes.html_page import NASTY, ParsedPage
from uumamba.evaluation.agreement import agreement
from uumamba.reporting.html.agreement_plot import Pair, agreement_plot

PAIRS = [Pair(NASTY, 50.0, 55.0), Pair("two", 60.0, 58.0), Pair("three", 30.5, 41.0), Pair("four", 71.0, 70.0)]


def test_every_patient_is_a_point_in_both_plots() -> None:
    page = ParsedPage(agreement_plot(PAIRS, title="LV EF, %"))
    said = page.texts("title")
    assert said[0] == f"{NASTY}: prediction 50.0, reference 55.0, difference -5.0"
    assert said[:4] == said[4:]
    points = [(float(point.attributes["cx"]), float(point.attributes["cy"])) for point in page.all("circle")]
    assert np.argsort([x for x, _ in points[:4]]).tolist() == np.argsort([pair.reference for pair in PAIRS]).tolist()
    assert np.argsort([-y for _, y in points[4:]]).tolist() == [2, 0, 3, 1]
    assert all(0 < x < 560 and 0 < y < 262 for x, y in points)


def test_bias_and_limits_are_drawn_and_said() -> None:
    page = ParsedPage(agreement_plot(PAIRS, title="LV EF, %"))
    found = agreement([pair.prediction for pair in PAIRS], [pair.reference for pair in PAIRS])
    assert page.all("svg")[0].attributes["aria-label"] == (
        f"LV EF, % of 4 patients. r = {found.pearson:.3f}, bias {found.bias:+.1f}, "
        f"limits of agreement {found.lower:+.1f} to {found.upper:+.1f}"
    )
    kinds = [line.attributes.get("class") for line in page.all("line")]
    assert (kinds.count("bias"), kinds.count("limit")) == (1, 3), "two limits and the line of identity"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_patients_have_no_correlation_and_the_reason_is_said(count: int) -> None:
    page = ParsedPage(agreement_plot(PAIRS[:count], title="LV EF, %"))
    assert f"no correlation: needs 3 patients, got {count}" in page.all("svg")[0].attributes["aria-label"]
    assert len(page.all("circle")) == 2 * count
    assert "nan" not in page.content
