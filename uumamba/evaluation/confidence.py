"""Whether the Dice that a model expects of its masks tells good ones from bad ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from uumamba.core.statistics import mean_of_known
from uumamba.metrics.ranking import Ranking, auroc, spearman

FAILURE_DICE = 0.7
"""A mask with a lower Dice is a failure, to be found by a low expected Dice."""

POOLED = "pooled"


@dataclass(frozen=True)
class ConfidenceRow:
    """One structure of one case: the Dice that was expected, None without a mask, and the true one.

    The true one is None if neither mask nor reference has the structure.
    """

    case: str
    structure: str
    expected: float | None
    dice: float | None


@dataclass(frozen=True)
class ConfidenceSummary:
    """Over the `cases` that have both numbers, of which `failures` have a Dice below `FAILURE_DICE`.

    `without_mask` is the number of those left out because the structure was missed as a whole: no mask, no confidence.
    `auroc` is that of finding the failures. In the pooled summary each structure of a case counts as one.
    """

    structure: str
    cases: int
    without_mask: int
    failures: int
    mean_expected: float | None
    mean_dice: float | None
    spearman: Ranking
    auroc: Ranking


def summarise_confidence(rows: Sequence[ConfidenceRow]) -> tuple[ConfidenceSummary, ...]:
    """A summary of each structure, in the rows' order, and one of all rows, `POOLED`."""
    structures = dict.fromkeys(row.structure for row in rows)
    parts = {name: [row for row in rows if row.structure == name] for name in structures} | {POOLED: list(rows)}
    return tuple(_summarise(name, part) for name, part in parts.items())


def _summarise(name: str, rows: Sequence[ConfidenceRow]) -> ConfidenceSummary:
    pairs = [(row.expected, row.dice) for row in rows if row.expected is not None and row.dice is not None]
    expected, dice = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    failed = [value < FAILURE_DICE for value in dice]
    return ConfidenceSummary(
        structure=name,
        cases=len(pairs),
        without_mask=sum(row.expected is None and row.dice is not None for row in rows),
        failures=sum(failed),
        mean_expected=mean_of_known(expected),
        mean_dice=mean_of_known(dice),
        spearman=spearman(expected, dice),
        auroc=auroc([-value for value in expected], failed),
    )
