"""One label map measured as vessels."""

from typing import Any

import numpy as np

from uumamba.evaluation.table import Cell
from uumamba.imaging.image import Image
from uumamba.measures.gaps import Gap
from uumamba.measures.profile import Section
from uumamba.measures.vessel import Vessel, find_vessels
from uumamba.measures.vessel_part import COUNTS, VESSEL_MEASURES, Part, whole_part, zone_parts
from uumamba.reporting.vessel import vessel_figure
from uumamba.workflows.measured_case import MeasuredCase, Names, measured_cell, reasons_of, rounded, world_mm

_WHERE = ("vessel", "at_mm", "x_mm", "y_mm", "z_mm")
VESSEL_COLUMNS = (
    *VESSEL_MEASURES,
    *(f"max_diameter_{place}" for place in _WHERE),
    *(f"min_equivalent_{place}" for place in _WHERE),
)
"""Columns of the table; x, y, z are in the patient (RAS)."""
ALL = "all structures"
"""What the whole is called beside a zone that has the name of the kind."""
_NOT_COUNTED = "counted in the whole alone"


def measure_vessels(image: Image, names: Names, *, kind: str, title: str) -> MeasuredCase:
    """Measure all that `names` names in a label map (canonical, RAS) as one tree of vessels, and each name as a zone.

    With a single name there are no zones. Columns are `VESSEL_COLUMNS` and `structure`, `status`, `reasons`.
    """
    numbers = sorted({number for of_it in names.values() for number in of_it})
    tree = find_vessels(image.data, image.spacing_mm, numbers)
    zones = dict(names) if len(names) > 1 else {}
    whole = whole_part(tree, image.spacing_mm, _name_of_whole(names, kind))
    parts = [whole, *zone_parts(tree, image.spacing_mm, zones)]
    document = {
        "parts": [_part(part, image) for part in parts],
        "components_without_centreline": tree.short,
        "vessels": [_vessel(number, vessel, zones, image) for number, vessel in enumerate(tree.vessels, 1)],
        "gaps": [_gap(gap, image) for gap in tree.gaps],
    }
    mask = np.isin(image.data, numbers)
    figure = vessel_figure(mask, image.spacing_mm, tree, whole, zones=zones, title=title)
    return MeasuredCase([_row(part, image) for part in parts], document, figure)


def _name_of_whole(names: Names, kind: str) -> str:
    """A name that no zone has."""
    if len(names) == 1:
        return next(iter(names))
    return ALL if kind in names else kind


def _row(part: Part, image: Image) -> dict[str, Cell]:
    measures = part.measures
    row: dict[str, Cell] = {"structure": part.name, "status": "ok"}
    for name, measure in measures.items():
        row[name] = int(measure.value) if name in COUNTS and measure.value is not None else measure.value
    for prefix, found in (("max_diameter", part.widest), ("min_equivalent", part.narrowest)):
        if found is not None:
            row |= {f"{prefix}_{place}": value for place, value in zip(_WHERE, _where(found, image), strict=True)}
    row["reasons"] = reasons_of({name: each for name, each in measures.items() if each.reason != _NOT_COUNTED})
    return row


def _where(found: tuple[int, Section], image: Image) -> tuple[int, float, float, float, float]:
    number, section = found
    x, y, z = rounded(world_mm(image, section.place_mm)[0])
    return number + 1, round(section.at_mm, 3), x, y, z


def _part(part: Part, image: Image) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": part.name,
        "measures": {name: measured_cell(measure) for name, measure in part.measures.items()},
    }
    for key, found in (("max_diameter", part.widest), ("min_equivalent", part.narrowest)):
        content[key] = None
        if found is not None:
            vessel, at, *world = _where(found, image)
            section = found[1]
            content[key] = {
                "vessel": vessel,
                "at_mm": at,
                "world_mm": world,
                "equivalent_mm": rounded(section.equivalent_mm),
                "largest_mm": rounded(section.largest_mm),
                "smallest_mm": rounded(section.smallest_mm),
            }
    return content


def _vessel(number: int, vessel: Vessel, zones: Names, image: Image) -> dict[str, Any]:
    """A centreline with its branches and all its sections, for which there is a diameter or a reason."""
    line, sections = vessel.line, vessel.sections
    name_of = {each: name for name, of_it in zones.items() for each in of_it}
    profile: dict[str, Any] = {
        "at_mm": rounded([section.at_mm for section in sections]),
        "world_mm": rounded(world_mm(image, line.points_mm)),
    }
    for name in ("equivalent_mm", "largest_mm", "smallest_mm"):
        values = [getattr(section, name) for section in sections]
        profile[name] = [None if value is None else round(value, 3) for value in values]
    profile["reason"] = [section.reason for section in sections]
    if zones:
        profile["zone"] = [name_of.get(int(each)) for each in vessel.zones]
    return {
        "number": number,
        "component": vessel.component,
        "length_mm": rounded(line.length_mm),
        "branch_lengths_mm": rounded(line.branch_lengths_mm),
        "junctions_at_mm": rounded(line.breaks_mm),
        "closed": bool(line.closed),
        "ends": ["free" if free else "closed" if line.closed else "at a junction" for free in line.free],
        "profile": profile,
    }


def _gap(gap: Gap, image: Image) -> dict[str, Any]:
    return {
        "length_mm": rounded(gap.length_mm),
        "world_mm": [rounded(world_mm(image, place)[0]) for place in gap.places_mm],
    }
