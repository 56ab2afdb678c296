"""Reasons to look at a case with care: its images, its label map or its confidence are unlike the training cases'."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from uumamba.data.case_features import (
    AXIS_NAMES,
    INTENSITIES,
    CaseFeatures,
    ChannelFeatures,
    StructureFeatures,
    describe_case,
    structures_of,
)
from uumamba.data.fingerprint import Fingerprint, Range, uprightness
from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, PreprocessedCase
from uumamba.imaging.image import Image
from uumamba.inference.prediction import Flag

LOW_CONFIDENCE = 0.8
"""A structure with a lower expected Dice is flagged; a choice, well below the 0.9 that networks reach on ACDC."""
RARELY_CUT = 0.05
"""A structure that touches a border is flagged if it does so in at most this share of the training cases."""
TAIL_MARGIN = 0.1
"""Every range is widened at both ends by this share of its length, plus 1 / cases.

n cases of an even distribution miss 1 / (n + 1) of it at either end; the tenth is for tails that are not even. At 160
cases that is a tenth, at five 0.3.
"""
NO_AIR_HU = -200.0
"""Every CT has a lower value: lung or the air around the body, and in a crop without either the noise of fat."""
_LEAST_FACTOR = 1.1
"""Lengths, counts and volumes are compared as ratios; less than this is no difference, however equal the cases."""
_LEAST_STEP = 0.01
"""The same for normalised intensities, shares and correlations: for training cases that are nearly equal."""
NOT_CHECKED = (
    "images and label maps were not compared with the training cases: the bundle has no fingerprint; `uumamba "
    "calibrate` adds one where the work folder of the training is at hand"
)
"""What a run says once if its bundle has no fingerprint."""


def features_of(images: Sequence[Image], prepared: PreprocessedCase, plan: Plan) -> CaseFeatures:
    """What `check_input` compares of a case; small, so it may be kept while the images are not."""
    geometry = prepared.geometry
    return describe_case(
        prepared.data,
        plan,
        spacing_mm=geometry.spacing_mm,
        shape=geometry.shape_before_crop,
        lowest=[float(image.data.min()) for image in images],
    )


def flags_of(
    fingerprint: Fingerprint | None,
    features: CaseFeatures | None,
    *,
    labels: NDArray[np.integer],
    geometry: Geometry,
    plan: Plan,
    confidence: Mapping[str, float | None],
) -> tuple[Flag, ...]:
    """All flags of a case: of its images, of its label map, of its confidence, in this order.

    `labels` (x, y, z) is the label map on the image's own grid. Without a fingerprint only the confidence is checked.
    """
    flags: tuple[Flag, ...] = ()
    if fingerprint is not None and features is not None:
        flags += check_input(fingerprint, features)
    if fingerprint is not None:
        network_labels = on_network_axes(labels, geometry, plan)
        flags += check_labels(fingerprint, structures_of(network_labels, plan, spacing_mm=geometry.spacing_mm))
    return flags + check_confidence(confidence)


def check_input(fingerprint: Fingerprint, features: CaseFeatures) -> tuple[Flag, ...]:
    """How the images differ from the training cases: at most one flag for each code.

    `spacing`, `field_of_view`, `slices`, `intensity` (as the network sees it), `units` (no Hounsfield units in a CT)
    and `orientation` (the image looks more like the training images when it is turned or mirrored).
    """
    found: dict[str, list[str]] = {}
    for code, sentence in (*_geometry(fingerprint, features), *_looks(fingerprint, features)):
        found.setdefault(code, []).append(sentence)
    return tuple(Flag(code, "; ".join(sentences)) for code, sentences in found.items())


def check_labels(fingerprint: Fingerprint, structures: Mapping[str, StructureFeatures]) -> tuple[Flag, ...]:
    """How a label map, by `structures_of`, differs from the training cases' references.

    `absent`: a structure that every training case has is missing; `volume`: it is smaller or larger than in all of
    them; `cut`: it touches a border of the image where it hardly ever does. At most one flag for each code.
    """
    cases = fingerprint.cases if fingerprint.labelled is None else fingerprint.labelled
    found: dict[str, list[str]] = {"absent": [], "volume": [], "cut": []}
    for name, expected in fingerprint.structures.items():
        structure = structures.get(name)
        if structure is None:
            if expected.present == cases:
                found["absent"].append(f"{name} has no voxel, all {cases} training cases have it")
            continue
        span = expected.volume_ml
        if span is not None and _is_outside_ratio(structure.volume_ml, span, cases):
            volume = f"{name} {structure.volume_ml:.3g} ml, in the {expected.present} training cases {span} ml"
            found["volume"].append(volume)
        found["cut"].extend(_cuts(name, structure.borders, expected.borders, cases))
    return tuple(Flag(code, "; ".join(sentences)) for code, sentences in found.items() if sentences)


def check_confidence(confidence: Mapping[str, float | None]) -> tuple[Flag, ...]:
    """One flag, `confidence`, if the Dice expected of a structure is below `LOW_CONFIDENCE`."""
    low = {name: value for name, value in confidence.items() if value is not None and value < LOW_CONFIDENCE}
    listed = ", ".join(f"{name} {value:.2f}" for name, value in low.items())
    return (Flag("confidence", f"expected Dice of {listed}; {LOW_CONFIDENCE:g} or more is trusted"),) if low else ()


def _geometry(fingerprint: Fingerprint, features: CaseFeatures) -> Iterator[tuple[str, str]]:
    """Code and sentence of each length or count that is unlike the training cases'."""
    compared: list[tuple[str, str, float, Range, str]] = []
    for axis, name in enumerate(AXIS_NAMES):
        spacing, size = features.spacing_mm[axis], features.size_mm[axis]
        compared.append(("spacing", f"spacing along {name}", spacing, fingerprint.spacing_mm[axis], " mm"))
        compared.append(("field_of_view", f"size along {name}", size, fingerprint.size_mm[axis], " mm"))
    compared.append(("slices", "number of slices", features.slices, fingerprint.slices, ""))
    for code, what, value, span, unit in compared:
        if _is_outside_ratio(value, span, fingerprint.cases):
            yield code, f"{what} {value:.3g}{unit}, in the {fingerprint.cases} training cases {span}{unit}"


def _looks(fingerprint: Fingerprint, features: CaseFeatures) -> Iterator[tuple[str, str]]:
    """Code and sentence of each intensity that is unlike the training cases', and of a turned image."""
    cases = fingerprint.cases
    for channel, spans in zip(features.channels, fingerprint.channels, strict=True):
        for name, span in spans.items():
            value = getattr(channel, name)
            if value is not None and _is_outside(value, span, cases):
                what = f"{channel.name}, normalised: {INTENSITIES[name]}"
                yield "intensity", f"{what} {value:.3g}, in the {cases} training cases {span}"
        yield from _wrong_units(channel)
    mean, usual = fingerprint.mean_picture, fingerprint.upright
    upright = None if mean is None else uprightness(features.picture, mean)
    if upright is not None and usual is not None and upright < usual.low and _is_outside(upright, usual, cases):
        yield (
            "orientation",
            "correlation with the mean training image, less that of the best turned or mirrored copy, "
            f"{upright:.2f}, in the {cases} training cases {usual}; look at the orientation in the image's header",
        )


def _is_outside(value: float, span: Range, cases: int) -> bool:
    """Whether a value lies beyond the range of so many cases, widened by the margin."""
    margin = max((TAIL_MARGIN + 1 / cases) * (span.high - span.low), _LEAST_STEP)
    return not span.low - margin <= value <= span.high + margin


def _is_outside_ratio(value: float, span: Range, cases: int) -> bool:
    """As `_is_outside` for positive numbers that are compared as ratios; the margin is a factor."""
    factor = max((span.high / span.low) ** (TAIL_MARGIN + 1 / cases), _LEAST_FACTOR)
    return not span.low / factor <= value <= span.high * factor


def _wrong_units(channel: ChannelFeatures) -> Iterator[tuple[str, str]]:
    if channel.lowest_hu is not None and channel.lowest_hu > NO_AIR_HU:
        yield (
            "units",
            f"{channel.name}: lowest value {channel.lowest_hu:.4g}, a CT in Hounsfield units goes below {NO_AIR_HU:g} "
            "(air is near -1000); the image may be shifted by 1024, or rescaled to 0 to 255",
        )


def _cuts(name: str, borders: frozenset[str], expected: Mapping[str, int], cases: int) -> Iterator[str]:
    for border in sorted(borders):
        touched = expected.get(border, 0)
        if touched <= RARELY_CUT * cases:
            yield (
                f"{name} reaches the {'low' if border[1] == '-' else 'high'} end of {border[0]} and may be cut there, "
                f"as {touched} of {cases} training cases do"
            )


def on_network_axes(labels: NDArray[np.integer], geometry: Geometry, plan: Plan) -> NDArray[np.integer]:
    """A view of a label map on the image's grid: network axes, the box of nonzero voxels only."""
    orientation = geometry.orientation
    flipped = tuple(axis for axis, flip in enumerate(orientation.flipped) if flip)
    canonical = np.flip(labels.transpose(orientation.axes), flipped)
    return canonical.transpose(plan.axes)[tuple(slice(*bounds) for bounds in geometry.crop)]
