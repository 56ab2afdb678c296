"""Whether the Dice that a model expects of its masks is the Dice that they have, and tells good masks from bad ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from uumamba.core.statistics import mean_of_known
from uumamba.metrics.ranking import auroc, spearman

FAILURE_DICE = 0.7
"""A mask with a lower Dice is a failure, to be found by a low expected Dice."""

POOLED = "all structures"


@dataclass(frozen=True)
class ConfidenceRow:
    """One structure of one case: the Dice that was expected, None without a mask, and the true one.

    The true one is None if neither mask nor reference has the structure, or if the case failed.
    """

    case: str
    structure: str
    expected: float | None
    dice: float | None

    @property
    def pair(self) -> tuple[float, float] | None:
        """(expected, true) if both are known."""
        return None if self.expected is None or self.dice is None else (self.expected, self.dice)


@dataclass(frozen=True)
class ConfidenceSummary:
    """Expected against true Dice over the `n` cases of a structure that have both; None where there is no number.

    `without_mask` is the number of those left out because the structure was missed as a whole: no mask, no confidence.
    `bias` is the mean of expected - true, above 0 if the model thinks too well of itself. `spearman` is the rank
    correlation of both; `auroc` the probability that a failure (one of `failures`, Dice below 0.7) has a lower
    confidence than a success. Each None has its reason. Pooled, each structure of a case counts as one.
    """

    structure: str
    n: int
    without_mask: int
    mean_confidence: float | None
    mean_dice: float | None
    bias: float | None
    mean_absolute_error: float | None
    spearman: float | None
    spearman_reason: str | None
    failures: int
    auroc: float | None
    auroc_reason: str | None


def summarise_confidence(rows: Sequence[ConfidenceRow]) -> tuple[ConfidenceSummary, ...]:
    """A summary of each structure, in the rows' order, and last, if there are several, one of all rows, `POOLED`."""
    structures = dict.fromkeys(row.structure for row in rows)
    parts = {name: [row for row in rows if row.structure == name] for name in structures}
    if len(parts) > 1:
        parts[POOLED] = list(rows)
    return tuple(_summarise(name, part) for name, part in parts.items())


def _summarise(structure: str, rows: Sequence[ConfidenceRow]) -> ConfidenceSummary:
    pairs = [row.pair for row in rows if row.pair is not None]
    expected, true = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    failed = [dice < FAILURE_DICE for dice in true]
    correlation, area = spearman(expected, true), auroc([-value for value in expected], failed)
    return ConfidenceSummary(
        structure,
        n=len(pairs),
        without_mask=sum(row.expected is None and row.dice is not None for row in rows),
        mean_confidence=mean_of_known(expected),
        mean_dice=mean_of_known(true),
        bias=mean_of_known(one - other for one, other in pairs),
        mean_absolute_error=mean_of_known(abs(one - other) for one, other in pairs),
        spearman=correlation.value,
        spearman_reason=correlation.reason,
        failures=sum(failed),
        auroc=area.value,
        auroc_reason=area.reason,
    )
