"""What a page consists of; every text here is plain, and is escaped when the page is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from markupsafe import Markup

Mark = Literal["", "good", "warn", "bad", "none"]
"""How a thing stands out: `bad` failed, `warn` wants a look, `none` is a value that does not exist."""


@dataclass(frozen=True)
class Cell:
    """One cell. `sort` orders a column of numbers, None comes last; `detail` is smaller text below it."""

    text: str
    sort: float | None = None
    detail: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Column:
    """One column's heading; `numeric` columns are sorted by their cells' `sort`, others by text."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Row:
    """One row: as many cells as the table has columns; the first one is the row's heading."""

    cells: tuple[Cell, ...]
    mark: Mark = ""


@dataclass(frozen=True)
class Table:
    """A table with its caption. A `sortable` one can be sorted and filtered where scripts run."""

    kind: ClassVar = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sortable: bool = False


@dataclass(frozen=True)
class Heading:
    """A smaller heading within a section."""

    kind: ClassVar = "heading"
    text: str


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    kind: ClassVar = "note"
    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Lines:
    """A list of short texts."""

    kind: ClassVar = "lines"
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names with values."""

    kind: ClassVar = "facts"
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plot:
    """A drawing; `svg` is safe markup whose texts are escaped already."""

    caption: str
    svg: Markup


@dataclass(frozen=True)
class Plots:
    """Drawings side by side as far as there is room."""

    kind: ClassVar = "plots"
    plots: tuple[Plot, ...]


@dataclass(frozen=True)
class Picture:
    """An embedded PNG with its size in pixels; `alt` says in words what it shows."""

    kind: ClassVar = "picture"
    caption: str
    alt: str
    base64: str
    width: int
    height: int


Block = Table | Heading | Note | Lines | Facts | Plots | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; `anchor` is its address within the page."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Tile:
    """One figure of the head: a value with its name."""

    name: str
    value: str
    mark: Mark = ""


@dataclass(frozen=True)
class Page:
    """A whole page; sections without a block are not drawn."""

    title: str
    subtitle: str
    tiles: tuple[Tile, ...]
    facts: Facts
    sections: Sequence[Section]
