"""How measurements and structures agree with the reference over many patients."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.reporting.style import COLOURS, new_figure, structure_colour, tidy

Values = Sequence[float | None]
_LIMIT = 1.96


def agreement_figure(pairs: Mapping[str, tuple[Values, Values]], *, title: str = "") -> Figure:
    """A row per measurement: prediction over reference with the correlation, and differences (Bland and Altman, 1986).

    `pairs` maps a name with its unit, e.g. "LV EF (%)", to (prediction, reference), one entry per patient; None or NaN
    on either side leaves a patient out, and the number drawn is written. The second plot shows prediction minus
    reference over their mean, the bias and bias ± 1.96 standard deviations (n - 1).
    Raises `InputError` if there is no measurement, or if the two sides of one differ in length.
    """
    if not pairs:
        raise InputError("an agreement figure needs at least one measurement, got none")
    figure = new_figure(8.6, 3.3 * len(pairs) + 0.4)
    grid = figure.subplots(len(pairs), 2, squeeze=False)
    for row, (name, (prediction, reference)) in enumerate(pairs.items()):
        predicted, true = _complete(name, prediction, reference)
        _draw_correlation(grid[row, 0], name, predicted, true)
        _draw_differences(grid[row, 1], name, predicted, true)
    figure.suptitle(title, fontsize=11)
    return figure


def dice_figure(dice: Mapping[str, Values], *, title: str = "", label: str = "Dice") -> Figure:
    """A box plot of one score in [0, 1] per structure, every case as a point; median, quartiles and number are written.

    `dice` maps a structure's name, in the order of its number, to one value per case; None or NaN (no value defined)
    is left out. Raises `InputError` if there is no structure or a value outside [0, 1].
    """
    if not dice:
        raise InputError("a box plot needs at least one structure, got none")
    columns = {name: _finite(values) for name, values in dice.items()}
    for name, values in columns.items():
        if values.size and (values.min() < 0 or values.max() > 1):
            raise InputError(f"{label} of {name} must be in [0, 1], got {values.min():g} to {values.max():g}")
    figure = new_figure(max(4.0, 1.5 * len(columns) + 1.0), 4.0)
    axes = figure.subplots()
    for place, values in enumerate(columns.values(), 1):
        _draw_box(axes, place, values)
    summaries = [_summary(name, values) for name, values in columns.items()]
    axes.set_xticks(range(1, len(columns) + 1), summaries, fontsize=8)
    axes.set_xlim(0.4, len(columns) + 0.6)
    lowest = min((float(values.min()) for values in columns.values() if values.size), default=0.0)
    axes.set_ylim(max(-0.02, np.floor(lowest * 10) / 10 - 0.02), 1.02)
    axes.set_ylabel(label)
    axes.set_title(title, fontsize=11)
    tidy(axes)
    return figure


def _finite(values: Values) -> np.ndarray:
    numbers = _numbers(values)
    finite: np.ndarray = numbers[np.isfinite(numbers)]
    return finite


def _numbers(values: Values) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _complete(name: str, prediction: Values, reference: Values) -> tuple[np.ndarray, np.ndarray]:
    if len(prediction) != len(reference):
        raise InputError(
            f"{name}: {len(prediction)} predictions and {len(reference)} references; give one of each per patient"
        )
    predicted, true = _numbers(prediction), _numbers(reference)
    complete = np.isfinite(predicted) & np.isfinite(true)
    return predicted[complete], true[complete]


def _draw_points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    axes.scatter(x, y, color=COLOURS[5], s=22, alpha=0.8, linewidths=0)


def _draw_correlation(axes: Axes, name: str, prediction: np.ndarray, reference: np.ndarray) -> None:
    _draw_points(axes, reference, prediction)
    ends = np.concatenate([prediction, reference])
    if ends.size:
        margin = 0.05 * (np.ptp(ends) or 1.0)
        limits = (ends.min() - margin, ends.max() + margin)
        axes.plot(limits, limits, color="0.5", linewidth=1, linestyle="--", label="identity")
        axes.set(xlim=limits, ylim=limits)
        axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.set_aspect("equal")
    axes.set_title(f"{name}: {_correlation(prediction, reference)}, n = {len(prediction)}", fontsize=9)
    axes.set_xlabel("reference", fontsize=9)
    axes.set_ylabel("prediction", fontsize=9)
    tidy(axes)


def _correlation(prediction: np.ndarray, reference: np.ndarray) -> str:
    """Pearson's r, or why there is none."""
    if len(prediction) < 3 or np.ptp(prediction) == 0 or np.ptp(reference) == 0:
        return "r not defined"
    return f"r = {np.corrcoef(prediction, reference)[0, 1]:.3f}"


def _draw_differences(axes: Axes, name: str, prediction: np.ndarray, reference: np.ndarray) -> None:
    difference, mean = prediction - reference, (prediction + reference) / 2
    _draw_points(axes, mean, difference)
    axes.axhline(0, color="0.7", linewidth=0.8)
    heading = "bias not defined"
    if difference.size:
        bias = float(difference.mean())
        axes.axhline(bias, color=COLOURS[2], linewidth=1.4)
        heading = f"bias {bias:+.1f}"
        if difference.size > 1:
            spread = _LIMIT * float(difference.std(ddof=1))
            for limit in (bias - spread, bias + spread):
                axes.axhline(limit, color=COLOURS[2], linewidth=1.2, linestyle="--")
            reach = 1.25 * max(abs(bias) + spread, float(np.abs(difference).max())) or 1.0
            axes.set_ylim(-reach, reach)
            heading += f", limits of agreement {bias - spread:+.1f} to {bias + spread:+.1f}"
    axes.set_title(heading, fontsize=9)
    axes.set_xlabel(f"mean of both: {name}", fontsize=9)
    axes.set_ylabel("prediction - reference", fontsize=9)
    tidy(axes)


def _draw_box(axes: Axes, place: int, values: np.ndarray) -> None:
    colour = structure_colour(place)
    if not values.size:
        return
    axes.boxplot(
        values,
        positions=[place],
        widths=0.5,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.35},
        medianprops={"color": "black"},
    )
    # Points are spread by rank, not by chance, so that the same numbers give the same picture.
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    axes.scatter(place + 0.3 * ((ranks * 0.618) % 1 - 0.5), values, color=colour, s=12, linewidths=0, zorder=3)


def _summary(name: str, values: np.ndarray) -> str:
    if not values.size:
        return f"{name}\nno value"
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{name}\nmedian {median:.3f}\n({low:.3f} to {high:.3f})\nn = {values.size}"
