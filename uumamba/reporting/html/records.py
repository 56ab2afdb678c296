"""What a record says of how something was made, as names with values."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from uumamba.core.settings import leaves
from uumamba.reporting.html.cells import title_of
from uumamba.reporting.html.page import Cell, Column, Facts, Row, Section, Table

_FIRST = (
    *("time", "predictions", "references", "dataset", "label_file", "groups", "nsd_tolerance_mm"),
    *("device_name", "precision", "scan_backend", "seed"),
)
_LONGEST_LIST = 12
_IN_SHORT = ("uumamba", "torch", "nnunetv2", "monai")


def facts_of(record: Mapping[str, Any], more: Iterable[tuple[str, str]] = ()) -> Facts:
    """The few facts for a page's head: `more`, then when, from what, with what; what is not known is left out."""
    known = [(title_of(key), value_text(record[key])) for key in _FIRST if record.get(key) is not None]
    program, versions = record.get("program"), record.get("versions")
    if isinstance(program, Mapping):
        known.append(("program", " ".join(str(value) for value in program.values())))
    if isinstance(versions, Mapping):
        known.append(("versions", ", ".join(f"{name} {versions[name]}" for name in _IN_SHORT if name in versions)))
    return Facts((*more, *known))


def record_section(record: Mapping[str, Any], *, title: str, anchor: str, skip: Collection[str] = ()) -> Section:
    """Every value of a record, with its dotted name."""
    found = leaves({key: value for key, value in record.items() if key not in skip})
    rows = tuple(Row((Cell(name), Cell(value_text(value)))) for name, value in found.items())
    table = Table("All that the files say of how this was made.", (Column("name"), Column("value")), rows)
    return Section(title, anchor, (table,) if rows else ())


def value_text(value: object) -> str:
    """A JSON value in a line; of a long list only how long it is."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {value_text(each)}" for key, each in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) > _LONGEST_LIST:
            return f"{len(value)} values"
        return ", ".join(value_text(each) for each in value) or "none"
    return str(value)
