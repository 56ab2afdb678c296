"""The Dice that a model expects of its masks against the true one."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.evaluation.confidence import FAILURE_DICE, ConfidenceRow, ConfidenceSummary, summarise_confidence
from uumamba.reporting.style import new_figure, structure_colour, tidy


def confidence_figure(rows: Sequence[ConfidenceRow], structures: Sequence[str], *, title: str = "") -> Figure:
    """A point (expected Dice, true Dice) for each case, coloured by structure; `structures` are all, by their numbers.

    The legend says of each structure of the rows how well the one orders the cases as the other does. Raises
    `InputError` if there is no point.
    """
    together = [value for row in rows if row.pair is not None for value in row.pair]
    if not together:
        raise InputError("expected Dice: no structure has a mask in any case, so there is nothing to draw")
    summaries = {each.structure: each for each in summarise_confidence(rows)}
    figure = new_figure(6.4, 6.2)
    axes = figure.subplots()
    for number, name in enumerate(structures, start=1):
        if name not in summaries:
            continue
        pairs = [row.pair for row in rows if row.structure == name and row.pair is not None]
        axes.scatter(
            [pair[0] for pair in pairs], [pair[1] for pair in pairs], s=30, color=structure_colour(number), alpha=0.8,
            edgecolor="white", linewidth=0.5, label=f"{name}: {_note(summaries[name])}",
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="0.25", linewidth=1, linestyle="--", label="expected = true")
    axes.axhline(FAILURE_DICE, color="0.6", linewidth=0.9, linestyle=":", label=f"failure: Dice < {FAILURE_DICE:g}")
    low = max(0.0, min([*together, FAILURE_DICE]) - 0.05)
    axes.set_xlim(low, 1)
    axes.set_ylim(low, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("expected Dice")
    axes.set_ylabel("true Dice")
    axes.set_title(title, fontsize=11)
    axes.legend(loc="upper left", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none")
    tidy(axes)
    return figure


def _note(summary: ConfidenceSummary) -> str:
    correlation, area = _number(summary.spearman), _number(summary.auroc)
    return f"Spearman {correlation}, AUROC {area}, n = {summary.n}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
