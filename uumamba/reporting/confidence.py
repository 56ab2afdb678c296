"""The Dice that a model expects of its masks against the true one."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.style import new_figure, structure_colour, tidy

Points = Sequence[tuple[float, float]]


def confidence_figure(points: Mapping[str, Points], notes: Mapping[str, str], *, failure: float, title: str) -> Figure:
    """A point (expected Dice, true Dice) for each case, coloured by structure, in the order of their numbers.

    `notes` stands behind each structure's name in the legend; below the line `failure` a mask has failed. Raises
    `InputError` if there is no point.
    """
    together = [value for pairs in points.values() for pair in pairs for value in pair]
    if not together:
        raise InputError("expected Dice: no structure has a mask in any case, so there is nothing to draw")
    figure = new_figure(6.4, 6.2)
    axes = figure.subplots()
    for number, (name, pairs) in enumerate(points.items(), start=1):
        expected, true = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        axes.scatter(
            expected, true, s=30, color=structure_colour(number), alpha=0.8, edgecolor="white", linewidth=0.5,
            label=f"{name}: {notes[name]}",
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="0.25", linewidth=1, linestyle="--", label="expected = true")
    axes.axhline(failure, color="0.6", linewidth=0.9, linestyle=":", label=f"failure: Dice < {failure:g}")
    low = max(0.0, min([*together, failure]) - 0.05)
    axes.set_xlim(low, 1)
    axes.set_ylim(low, 1)
    axes.set_aspect("equal")
    axes.set_xlabel("expected Dice, from calibrated probabilities")
    axes.set_ylabel("true Dice")
    axes.set_title(title, fontsize=11)
    axes.legend(loc="upper left", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none")
    tidy(axes)
    return figure
