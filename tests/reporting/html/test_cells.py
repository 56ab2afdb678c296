"""Headings and decimals of columns, and values that do not exist."""

import pytest

from uumamba.reporting.html.cells import form_of, number_cell, number_of, title_of
from uumamba.reporting.html.page import Cell


@pytest.mark.parametrize(
    ("column", "title", "form"),
    [
        ("dice", "Dice", ".3f"),
        ("hd95_mm", "HD95, mm", ".1f"),
        ("lv_ef_percent", "LV EF, %", ".1f"),
        ("prediction_ml", "predicted, ml", ".1f"),
        ("absolute_volume_error_percent", "absolute volume error, %", ".1f"),
        ("confidence_LV", "confidence LV", ".3f"),
        ("peak_memory_gb", "peak memory, GB", ".1f"),
        ("reason", "reason", ".3f"),
    ],
)
def test_a_column_has_a_heading_and_decimals(column: str, title: str, form: str) -> None:
    assert (title_of(column), form_of(column)) == (title, form)


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), ("-2", -2.0), ("", None), ("nan", None), ("x", None)])
def test_only_finite_numbers_are_numbers(text: str, value: float | None) -> None:
    assert number_of(text) == value


def test_a_value_that_does_not_exist_is_a_dash_with_its_reason_and_never_a_zero() -> None:
    assert number_cell(None, ".3f", detail="no prediction") == Cell("–", None, "no prediction", "none")
    assert number_cell(0.0, ".3f") == Cell("0.000", 0.0)
