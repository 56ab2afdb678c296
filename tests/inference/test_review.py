"""The review list is a total order by need, and every case is on it once."""

import csv
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from uumamba.inference.prediction import Flag
from uumamba.inference.review import COLUMNS, ReviewItem, order_for_review, write_review

SPACING, SLICES = Flag("spacing", "spacing along z 1 mm"), Flag("slices", "number of slices 3")
CONFIDENCES = st.none() | st.dictionaries(st.sampled_from(["LV", "RV"]), st.none() | st.floats(0, 1))
ITEMS = st.builds(
    ReviewItem,
    case=st.text("ab", max_size=2),
    status=st.sampled_from(["ok", "flagged", "failed"]),
    confidence=CONFIDENCES,
    flags=st.sampled_from([(), (SPACING,), (SPACING, SLICES)]),
)


def test_the_order() -> None:
    items = (
        ReviewItem("failed", "failed", "unreadable", "no such file"),
        ReviewItem("flagged, unknown", "flagged", flags=(SPACING,)),
        ReviewItem("flagged, low", "flagged", confidence={"LV": 0.9, "RV": 0.4}, flags=(SPACING,)),
        ReviewItem("flagged, high", "flagged", confidence={"LV": 0.9, "RV": 0.8}, flags=(SLICES,)),
        ReviewItem("ok, unknown", "ok", confidence={"LV": None}),
        ReviewItem("a", "ok", confidence={"LV": 0.81, "RV": None}),
        ReviewItem("b", "ok", confidence={"LV": 0.81}),
        ReviewItem("ok, high", "ok", confidence={"LV": 0.97}),
    )
    for turn in range(len(items)):
        assert order_for_review(items[turn:] + items[:turn]) == items
    assert order_for_review(items[::-1]) == items


@given(st.lists(ITEMS, max_size=8))
def test_total_and_stable(items: list[ReviewItem]) -> None:
    ordered = order_for_review(items)
    assert order_for_review(ordered) == ordered
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    failed = [item.status == "failed" for item in ordered]
    assert failed == sorted(failed, reverse=True)
    rest = [bool(item.flags) or item.status == "flagged" for item in ordered if item.status != "failed"]
    assert rest == sorted(rest, reverse=True)


def test_lowest_confidence_names_its_structure() -> None:
    assert ReviewItem("a", "ok", confidence={"LV": 0.9, "RV": 0.4, "MYO": None}).lowest == ("RV", 0.4)
    assert ReviewItem("a", "ok", confidence={"LV": None}).lowest is None
    assert ReviewItem("a", "ok").lowest is None
    assert ReviewItem("a", "ok", confidence={"LV": 0.0}).lowest == ("LV", 0.0)


def test_the_table(tmp_path: Path) -> None:
    path = tmp_path / "review.csv"
    write_review(
        path,
        [
            ReviewItem("fine", "ok", confidence={"LV": 0.95}),
            ReviewItem('odd, "very"', "flagged", confidence={"LV": 0.95, "RV": 0.123456}, flags=(SPACING, SLICES)),
            ReviewItem("broken", "failed", code="unreadable", reason="x.nii: cut"),
        ],
    )
    both = f"{SPACING.sentence} | {SLICES.sentence}"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [tuple(row.values()) for row in rows] == [
        ("1", "broken", "failed", "unreadable", "", "", "", "x.nii: cut"),
        (
            "2",
            'odd, "very"',
            "flagged",
            "",
            "0.1235",
            "RV",
            "spacing; slices",
            both,
        ),
        ("3", "fine", "ok", "", "0.9500", "LV", "", ""),
    ]
    write_review(path, [])
    assert path.read_text() == ",".join(COLUMNS) + "\n"
