"""Drawing in SVG: elements with escaped texts, and an axis that maps values to places."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

_TICKS = 5
_SAME = 1e-9


def element(name: str, *children: str, **attributes: str | float) -> Markup:
    """`<name attributes>children</name>`: texts and values are escaped, `Markup` children are not.

    In attributes' names an underscore stands for a hyphen; a last one is dropped (`class_`).
    """
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    shown = Markup("").join(Markup(' {}="{}"').format(key, _short(value)) for key, value in pairs)
    return Markup("<{0}{1}>{2}</{0}>").format(name, shown, Markup("").join(children))


def picture(*children: str, width: float, height: float, description: str) -> Markup:
    """A whole drawing that scales with the page; `description` says in words what it shows."""
    return element(
        "svg", *children, viewBox=f"0 0 {_short(width)} {_short(height)}", role="img", aria_label=description
    )


def line(start: tuple[float, float], end: tuple[float, float], **attributes: str | float) -> Markup:
    """A straight line from (x, y) to (x, y)."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **attributes)


def text(content: str, x: float, y: float, **attributes: str | float) -> Markup:
    """A line of text that starts at (x, y) unless `text_anchor` says otherwise."""
    return element("text", content, x=x, y=y, **attributes)


def _short(value: str | float) -> str:
    return value if isinstance(value, str) else f"{round(value, 2) + 0.0:g}"


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` lie at the places `start` to `end`, in the drawing's units."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Where round values lie, with their texts."""
        values = MaxNLocator(nbins=_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        reach = _SAME * (self.high - self.low)
        return [
            (self.place(value), f"{value + 0.0:.6g}")
            for value in values
            if self.low - reach <= value <= self.high + reach
        ]


def axis_around(values: Iterable[float], start: float, end: float, *, margin: float = 0.04) -> Axis:
    """The axis that holds all values and a margin on both sides, a share of their range; one of 1 if they are equal."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    extent = max(abs(low), abs(high))
    space = margin * (high - low) if high - low > _SAME * max(extent, 1.0) else max(0.05 * extent, 1.0)
    return Axis(low - space, high + space, start, end)
