"""The numbers of a whole vessel tree or of one zone of it: each a value, or None with a reason."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from uumamba.measures.measurement import Measurement
from uumamba.measures.profile import Section
from uumamba.measures.vessel import VesselTree

VESSEL_MEASURES: dict[str, str] = {
    "volume_ml": "volume, ml",
    "volume_in_view_ml": "volume in the image, ml",
    "length_mm": "length, mm",
    "length_in_view_mm": "length in the image, mm",
    "max_diameter_mm": "maximal diameter, mm",
    "max_equivalent_mm": "largest area-equivalent diameter, mm",
    "mean_equivalent_mm": "mean area-equivalent diameter, mm",
    "min_equivalent_mm": "smallest area-equivalent diameter, mm",
    "min_diameter_mm": "minimal diameter, mm",
    "components": "components",
    "branches": "branches",
    "junctions": "junctions",
    "loops": "loops",
    "ends": "ends",
    "broken_branches": "broken branches",
}
"""The measures of a vessel with their titles; those without a unit are counts, of the whole alone."""
COUNTS = ("components", "branches", "junctions", "loops", "ends", "broken_branches")
FOLLOWED_SHARE = 0.5
"""A zone whose centreline, as thick as its mean diameter, fills less of its volume than this has no length."""
_DIAMETERS = ("max_diameter_mm", "max_equivalent_mm", "mean_equivalent_mm", "min_equivalent_mm", "min_diameter_mm")


@dataclass(frozen=True, eq=False)
class Part:
    """Measures (`VESSEL_MEASURES`) of a whole or a zone.

    `widest` and `narrowest` are (number of the vessel, section) with the maximal diameter and with the smallest
    area-equivalent diameter.
    """

    name: str
    measures: Mapping[str, Measurement]
    widest: tuple[int, Section] | None
    narrowest: tuple[int, Section] | None


def whole_part(tree: VesselTree, spacing_mm: Sequence[float], name: str) -> Part:
    """All that was measured, as one structure."""
    voxels, border = sum(tree.voxels.values()), sum(tree.border_voxels.values())
    absent = f"{name} is absent: the mask is empty" if not voxels else None
    lengths = [vessel.line.length_mm for vessel in tree.vessels]
    found = [(number, section) for number, vessel in enumerate(tree.vessels) for section in vessel.sections]
    part = _part(name, (voxels, border, sum(lengths)), spacing_mm, found, absent)
    counts = (tree.components, tree.branches, tree.junctions, tree.loops, tree.ends, len(tree.gaps))
    return part if absent else _with(part, dict(zip(COUNTS, counts, strict=True)))


def zone_parts(tree: VesselTree, spacing_mm: Sequence[float], zones: Mapping[str, Sequence[int]]) -> Iterator[Part]:
    """Every zone by its name and numbers; a zone's sections are those of the whole vessel whose middle is in it."""
    for name, numbers in zones.items():
        voxels = sum(tree.voxels[number] for number in numbers)
        border = sum(tree.border_voxels[number] for number in numbers)
        found, length = [], 0.0
        for index, vessel in enumerate(tree.vessels):
            inside = np.isin(vessel.zones, numbers)
            steps = np.full(len(inside), vessel.line.length_mm / (len(inside) - 1))
            steps[[0, -1]] /= 2
            length += float(steps[inside].sum())
            found += [(index, section) for section, within in zip(vessel.sections, inside, strict=True) if within]
        absent = f"{name} is absent" if not voxels else None
        yield _along_all_of_it(_part(name, (voxels, border, length), spacing_mm, found, absent))


def _along_all_of_it(part: Part) -> Part:
    """A zone without a length if the centrelines in it are far too short for its volume and diameter.

    It then touches another vessel beside it, so that both are one lumen, with one centreline.
    """
    length, diameter = part.measures["length_in_view_mm"].value, part.measures["mean_equivalent_mm"].value
    volume = part.measures["volume_in_view_ml"].value
    if length is None or diameter is None or volume is None:
        return part
    share = length * np.pi * (diameter / 2) ** 2 / (1000 * volume)
    if share >= FOLLOWED_SHARE:
        return part
    reason = f"the centreline follows {share:.0%} of {part.name}, which touches another vessel; measure it by itself"
    unknown = dict.fromkeys(("length_mm", "length_in_view_mm"), Measurement(None, reason))
    return Part(part.name, {**part.measures, **unknown}, part.widest, part.narrowest)


def _part(
    name: str,
    size: tuple[int, int, float],
    spacing_mm: Sequence[float],
    found: Sequence[tuple[int, Section]],
    absent: str | None,
) -> Part:
    """A part of so many voxels, so many of them on the border, of a length in mm, with sections."""
    voxels, border, length = size
    if absent:
        return Part(name, dict.fromkeys(VESSEL_MEASURES, Measurement(None, absent)), None, None)
    cut = f"{name} is cut by the field of view: {border} voxels on the image's border" if border else None
    volume = Measurement(float(voxels * np.prod(spacing_mm) / 1000))
    seen = Measurement(length) if length > 0 else Measurement(None, f"{name} has no centreline: it is wider than long")
    whole_length = seen if seen.value is None or cut is None else Measurement(None, cut)
    measures = {
        "volume_ml": Measurement(None, cut) if cut else volume,
        "volume_in_view_ml": volume,
        "length_mm": whole_length,
        "length_in_view_mm": seen,
    }
    measured = [(number, section) for number, section in found if section.equivalent_mm is not None]
    none = dict.fromkeys(COUNTS, Measurement(None, "counted in the whole alone"))
    if not measured:
        reason = _why_none(name, [section for _, section in found], seen)
        return Part(name, measures | dict.fromkeys(_DIAMETERS, Measurement(None, reason)) | none, None, None)
    widest = max(measured, key=lambda each: each[1].largest_mm or 0)
    narrowest = min(measured, key=lambda each: each[1].equivalent_mm or 0)
    return Part(name, measures | _diameters([section for _, section in measured]) | none, widest, narrowest)


def _diameters(sections: Sequence[Section]) -> dict[str, Measurement]:
    equivalent = [section.equivalent_mm for section in sections if section.equivalent_mm is not None]
    values = (
        max(section.largest_mm for section in sections if section.largest_mm is not None),
        max(equivalent),
        float(np.mean(equivalent)),
        min(equivalent),
        min(section.smallest_mm for section in sections if section.smallest_mm is not None),
    )
    return {name: Measurement(value) for name, value in zip(_DIAMETERS, values, strict=True)}


def _why_none(name: str, sections: Sequence[Section], length: Measurement) -> str:
    """Why no section could be measured: how often which reason."""
    if not sections:
        return str(length.reason) if length.value is None else f"no centreline passes through {name}"
    reasons = Counter(section.reason for section in sections)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"none of {len(sections)} cross-sections of {name} could be measured: {told}"


def _with(part: Part, counts: Mapping[str, int]) -> Part:
    counted = {name: Measurement(float(count)) for name, count in counts.items()}
    return Part(part.name, {**part.measures, **counted}, part.widest, part.narrowest)
