"""review.csv: the cases of a batch in the order in which a person should look at them."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from uumamba.core.files import write_text
from uumamba.inference.prediction import Flag

REVIEW_NAME = "review.csv"
COLUMNS = ("priority", "case", "status", "code", "lowest_confidence", "structure", "flags", "sentences")
BETWEEN_SENTENCES = " | "
_BETWEEN_CODES = "; "


@dataclass(frozen=True)
class ReviewItem:
    """What the review needs of a case: how it ended, and why.

    `status` is "ok", "flagged" or "failed"; a failed case has a `code` and a `reason`, the others neither. `confidence`
    maps structures to their expected Dice, None where there is none.
    """

    case: str
    status: str
    code: str = ""
    reason: str = ""
    confidence: Mapping[str, float | None] | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def lowest(self) -> tuple[str, float] | None:
        """The structure of the lowest confidence (the first of equals) and that confidence; None if none is known."""
        known = [(name, value) for name, value in (self.confidence or {}).items() if value is not None]
        return min(known, key=lambda pair: pair[1]) if known else None


def order_for_review(items: Iterable[ReviewItem]) -> tuple[ReviewItem, ...]:
    """Failed cases first, then flagged ones, then the others; each by lowest confidence, then by name.

    A case without any confidence comes before those that have one: nothing speaks for it.
    """

    def need(item: ReviewItem) -> tuple[int, float, str]:
        """How soon a case comes: the smaller, the sooner."""
        group = 0 if item.status == "failed" else 1 if item.flags or item.status == "flagged" else 2
        return group, -1.0 if item.lowest is None else item.lowest[1], item.case

    return tuple(sorted(items, key=need))


def write_review(path: Path, items: Iterable[ReviewItem]) -> None:
    """Write review.csv atomically, one row for each case in the order of `order_for_review`.

    `priority` counts from 1; `lowest_confidence` and its `structure` are empty if no confidence is known; `flags` are
    codes joined by "; "; `sentences` a failure's reason and the flags' sentences, joined by " | ".
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for priority, item in enumerate(order_for_review(items), 1):
        structure, confidence = item.lowest or ("", None)
        sentences = [item.reason, *(flag.sentence for flag in item.flags)]
        row = {
            "priority": priority,
            "case": item.case,
            "status": item.status,
            "code": item.code,
            "lowest_confidence": "" if confidence is None else f"{confidence:.4f}",
            "structure": structure,
            "flags": _BETWEEN_CODES.join(flag.code for flag in item.flags),
            "sentences": BETWEEN_SENTENCES.join(sentence for sentence in sentences if sentence),
        }
        writer.writerow(row)
    write_text(path, text.getvalue())
