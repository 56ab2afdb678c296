"""One measure of every patient, predicted and true: correlation on the left, differences on the right."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from uumamba.evaluation.agreement import Agreement, agreement
from uumamba.reporting.html.svg import Axis, axis_around, element, line, picture, text
from uumamba.reporting.style import COLOURS

_SIDE = 210.0
_TOP = 12.0
_LEFT = 50.0
_SECOND = 330.0
_WIDTH = 560.0
_HEIGHT = 262.0


@dataclass(frozen=True)
class Pair:
    """One patient's measure, predicted and true."""

    name: str
    prediction: float
    reference: float


def agreement_plot(pairs: Sequence[Pair], *, title: str) -> Markup:
    """Prediction over reference with the line of identity, and prediction minus reference over their mean.

    The second has the bias as a thick line and the 95 % limits of agreement as broken lines (Bland and Altman, 1986).
    """
    found = agreement([pair.prediction for pair in pairs], [pair.reference for pair in pairs])
    return picture(
        _correlation(pairs),
        _differences(pairs, found),
        width=_WIDTH,
        height=_HEIGHT,
        description=f"{title} of {found.n} patients. {_in_words(found)}",
    )


def _correlation(pairs: Sequence[Pair]) -> Markup:
    values = [value for pair in pairs for value in (pair.prediction, pair.reference)]
    x = axis_around(values, _LEFT, _LEFT + _SIDE)
    y = Axis(x.low, x.high, _TOP + _SIDE, _TOP)
    identity = line((x.start, y.start), (x.end, y.end), class_="limit", opacity=0.6)
    points = [_point(pair, x.place(pair.reference), y.place(pair.prediction)) for pair in pairs]
    return Markup("").join([_frame(x, y, "reference", "prediction"), identity, *points])


def _differences(pairs: Sequence[Pair], found: Agreement) -> Markup:
    x = axis_around(((pair.prediction + pair.reference) / 2 for pair in pairs), _SECOND, _SECOND + _SIDE)
    levels = [level for level in (found.bias, found.lower, found.upper) if level is not None]
    reach = max((abs(value) for value in [*levels, *(pair.prediction - pair.reference for pair in pairs)]), default=1.0)
    y = axis_around([-reach, reach], _TOP + _SIDE, _TOP, margin=0.06)
    parts = [_frame(x, y, "mean of both", "prediction - reference")]
    parts.append(line((x.start, y.place(0)), (x.end, y.place(0)), class_="axis"))
    for level in levels:
        kind = "bias" if level == found.bias else "limit"
        parts.append(line((x.start, y.place(level)), (x.end, y.place(level)), class_=kind))
    parts += [
        _point(pair, x.place((pair.prediction + pair.reference) / 2), y.place(pair.prediction - pair.reference))
        for pair in pairs
    ]
    return Markup("").join(parts)


def _frame(x: Axis, y: Axis, x_title: str, y_title: str) -> Markup:
    parts = []
    for place, label in x.ticks():
        parts.append(line((place, y.start), (place, y.end), class_="grid"))
        parts.append(text(label, place, y.start + 15, class_="quiet", text_anchor="middle"))
    for place, label in y.ticks():
        parts.append(line((x.start, place), (x.end, place), class_="grid"))
        parts.append(text(label, x.start - 5, place + 4, class_="quiet", text_anchor="end"))
    parts.append(line((x.start, y.start), (x.end, y.start), class_="axis"))
    parts.append(line((x.start, y.start), (x.start, y.end), class_="axis"))
    parts.append(text(x_title, (x.start + x.end) / 2, y.start + 33, text_anchor="middle"))
    turned = f"translate({x.start - 38:g} {(y.start + y.end) / 2:g}) rotate(-90)"
    parts.append(element("text", y_title, transform=turned, text_anchor="middle"))
    return Markup("").join(parts)


def _point(pair: Pair, x: float, y: float) -> Markup:
    said = (
        f"{pair.name}: prediction {pair.prediction:.1f}, reference {pair.reference:.1f}, "
        f"difference {pair.prediction - pair.reference:+.1f}"
    )
    return element("circle", element("title", said), cx=x, cy=y, r=4.5, class_="point", fill=COLOURS[0])


def _in_words(found: Agreement) -> str:
    correlation = f"r = {found.pearson:.3f}" if found.pearson is not None else f"no correlation: {found.pearson_reason}"
    bias = "" if found.bias is None else f", bias {found.bias:+.1f}"
    limits = (
        ""
        if found.lower is None or found.upper is None
        else f", limits of agreement {found.lower:+.1f} to {found.upper:+.1f}"
    )
    return correlation + bias + limits
