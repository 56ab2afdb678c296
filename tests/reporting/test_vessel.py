"""The vessels' sheet: both projections, profiles with zones, marks, and reasons where there is no diameter."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tests.fakes.tubes import bulging, draw, straight
from uumamba.measures.vessel import find_vessels
from uumamba.measures.vessel_part import whole_part
from uumamba.reporting.style import NOTE
from uumamba.reporting.vessel import vessel_figure

Pixels = Callable[[Figure], np.ndarray]
SPACING = (1.0, 1.0, 1.0)


def sheet(labels: np.ndarray, zones: Mapping[str, Sequence[int]] | None = None) -> Figure:
    numbers = [number for of_it in (zones or {"aorta": (1,)}).values() for number in of_it]
    tree = find_vessels(labels, SPACING, numbers)
    whole = whole_part(tree, SPACING, "aorta")
    return vessel_figure(labels > 0, SPACING, tree, whole, zones=zones or {}, title="case 7")


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_projections_profile_zones_and_the_maximum(pixels: Pixels) -> None:
    mask, first = draw(bulging((0, 0, 1), 70, 4.2, 3.0, at_mm=45))
    labels = mask.astype(np.uint8)
    labels[:, :, np.arange(mask.shape[2]) + first[2] > 30] *= 2
    figure = sheet(labels, {"Zone 0": (1,), "Zone 1": (2,)})
    coronal, sagittal, profile = figure.axes
    assert (coronal.get_title(), sagittal.get_title()) == ("coronal, mm", "sagittal, mm")
    assert coronal.get_xlim()[0] > coronal.get_xlim()[1], "the patient's right is on the left"
    assert profile.get_xlabel() == "along the centreline, mm"
    assert profile.get_ylabel() == "diameter, mm"
    assert profile.get_title().startswith("vessel 1 of 1, ")
    assert "Zone 0" in texts(figure)
    assert "Zone 1" in texts(figure)
    assert "maximum 14." in texts(figure)
    assert figure.get_suptitle().startswith("case 7\nvolume ")
    assert "1 component, 0 broken branches" in figure.get_suptitle()
    assert any(text.get_text() == NOTE for text in figure.texts)
    assert pixels(figure).std() > 0.02


def test_a_break_and_a_junction_are_marked(pixels: Pixels) -> None:
    mask, _ = draw(straight((0, 0, 1), 70, 4.2), straight((1, 0, 0), 30, 2.5, start=(0, 0, 20)))
    mask[:, :, 50] = False
    figure = sheet(mask.astype(np.uint8))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["junction", "broken branch"]
    assert "1 broken branch" in figure.get_suptitle()
    assert "2 components" in figure.get_suptitle()
    assert len(figure.axes) == 5
    assert pixels(figure).std() > 0.02


def test_without_a_diameter_the_sheet_says_why(pixels: Pixels) -> None:
    thin, _ = draw(straight((1, 2, 3), 40, 0.9))
    figure = sheet(thin.astype(np.uint8))
    assert "no diameter:\nnone of " in texts(figure)
    assert "fewer than 2 voxels across" in texts(figure)
    empty = sheet(np.zeros((9, 9, 9), dtype=np.uint8))
    assert empty.get_suptitle() == "case 7\naorta is absent: the mask is empty"
    assert pixels(empty).std() > 0.005
