"""Numbers, and their absence, as text."""

from uumamba.evaluation.number_text import count_text, number_text, range_text, spread_text


def test_numbers_and_intervals() -> None:
    assert (number_text(0.5), number_text(0.5, "+.2f"), number_text(0.0)) == ("0.5000", "+0.50", "0.0000")
    assert range_text(-0.5, 0.25, "+.2f") == "-0.50 to +0.25"
    assert range_text(0.0, 1.0) == "0.0000 to 1.0000"


def test_what_is_missing() -> None:
    assert number_text(None) == "-"
    assert range_text(None, None) == range_text(0.5, None) == range_text(None, 0.5) == "-"
    assert spread_text(None, None) == "-"


def test_spreads_and_counts() -> None:
    assert spread_text(0.5, 0.25, ".2f") == "0.50 ± 0.25"
    assert spread_text(0.5, None, ".2f") == "0.50"
    assert [count_text(number, "case") for number in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
