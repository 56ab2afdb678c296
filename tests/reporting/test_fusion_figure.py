"""A row for each fused stage, a picture for each quantity, everything in its place."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver

from uumamba.core.labels import LabelSet
from uumamba.inference.fusion_maps import UNITS, StageMaps, border_rows, compared_places
from uumamba.reporting.fusion_figure import FusedPatch, fusion_figure

Pixels = Callable[[Figure], np.ndarray]
NAMES = LabelSet(names=("background", "shell", "ball"))
HEADS = [
    "Image and border",
    "Width of the low-pass kernels",
    "What the low-pass changes",
    "What the high-pass adds",
    "Length of the offsets",
]


def ring(*size: int) -> np.ndarray:
    """A ball (2) in a shell (1), in every slice."""
    rows, columns = np.indices(size)[-2:]
    distance = np.hypot(rows - size[-2] / 2, columns - size[-1] / 2)
    return np.where(distance < 5, 2, np.where(distance < 9, 1, 0)).astype(np.int16)


def stage_of(number: int, stride: tuple[int, ...], *size: int, without: Sequence[str] = ()) -> StageMaps:
    """Maps of noise, offsets towards higher indices along the last axis only."""
    random = np.random.default_rng(number)
    maps = {name: random.random(size).astype(np.float32) for name in UNITS if name not in without}
    arrows = np.zeros((len(size), *size), np.float32)
    arrows[-1] = 0.5
    twos = (2,) * len(size)
    return StageMaps(number, stride, twos, tuple(3 for _ in size), maps, None if "offset" in without else arrows)


def figure_of(stages: Sequence[StageMaps], labels: np.ndarray, depth: int = 0) -> Figure:
    rows = [row for stage in stages for row in border_rows(stage, labels)]
    image = np.random.default_rng(0).normal(size=labels.shape).astype(np.float32)
    return fusion_figure(stages, rows, FusedPatch(image, labels, depth, (1.5, 1.25), NAMES), title="a case")


def pictures(figure: Figure) -> list[Axes]:
    """The panels, row by row, without colour bars."""
    return [axes for axes in figure.axes if axes.images]


def test_as_many_panels_as_stages_and_quantities(pixels: Pixels) -> None:
    stages = [stage_of(0, (1, 1), 48, 40), stage_of(1, (2, 2), 24, 20), stage_of(2, (4, 4), 12, 10)]
    figure = figure_of(stages, ring(48, 40))
    panels = pictures(figure)
    assert len(panels) == 3 * 5
    assert [axes.get_title() for axes in panels[:5]] == HEADS
    assert [axes.get_ylabel() for axes in panels[::5]] == [stage.name for stage in stages]
    assert all("at borders" in axes.get_xlabel() for place, axes in enumerate(panels[:10]) if place % 5)
    assert all("too few places" in axes.get_xlabel() for place, axes in enumerate(panels[10:]) if place % 5)
    bars = [axes.get_ylabel() for axes in figure.axes if axes not in panels]
    assert bars == [*UNITS.values()] * 3
    assert all(any(isinstance(part, LineCollection) for part in axes.collections) for axes in panels), "outlines"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["shell", "ball", "counts as border"]
    assert "Narrow kernels take the place alone" in legend.get_title().get_text()
    assert pixels(figure).std() > 0.1


@pytest.mark.parametrize("missing", ["offset", "high_pass_gain"])
def test_what_is_turned_off_has_no_panel(missing: str) -> None:
    panels = pictures(figure_of([stage_of(0, (1, 1), 48, 40, without=[missing])], ring(48, 40)))
    assert [axes.get_title() for axes in panels] == [
        head for head, name in zip(HEADS, ["", *UNITS], strict=True) if name != missing
    ]


def test_a_stage_alone_may_lack_one() -> None:
    stages = [stage_of(0, (1, 1), 48, 40, without=["offset"]), stage_of(1, (2, 2), 24, 20)]
    assert len(pictures(figure_of(stages, ring(48, 40)))) == 4 + 5


def test_maps_are_turned_and_lie_on_the_patch() -> None:
    stage = stage_of(1, (2, 2), 24, 20)
    panel = pictures(figure_of([stage], ring(48, 40)))[1]
    (drawn,) = panel.images
    np.testing.assert_array_equal(drawn.get_array(), stage.maps["kernel_width"][::-1, ::-1])
    assert drawn.get_extent() == [-0.5, 39.5, 47.5, -0.5]
    left, right = panel.get_xlim()
    assert (left, right) == (-0.5, 39.5), "25 mm around the shell is more than there is"
    assert panel.get_aspect() == pytest.approx(1.5 / 1.25)


def test_tinted_are_the_places_that_count_as_border() -> None:
    stage = replace(stage_of(1, (1, 2, 2), 4, 24, 20), scale=(1, 2, 2))
    labels = ring(4, 48, 40)
    labels[2, 20:] = 0
    panel = pictures(figure_of([stage], labels, depth=2))[0]
    border, _ = compared_places(stage, labels)
    assert 0 < border[2].sum() < border[2].size / 2
    np.testing.assert_array_equal(panel.images[1].get_array()[..., 3] > 0, border[2, ::-1, ::-1])


def test_only_the_region_around_the_structures_is_shown() -> None:
    panel = pictures(figure_of([stage_of(0, (1, 1), 120, 100)], ring(120, 100)))[1]
    # The shell has 17 voxels, and 25 mm are 20 and 17 of them.
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    assert (right - left, bottom - top) == (17 + 2 * 20, 17 + 2 * 17)


def test_arrows_point_to_where_the_map_is_read() -> None:
    """Towards higher indices, which a turned picture has on the left; never more than the picture has room for."""
    panel = pictures(figure_of([stage_of(0, (1, 1), 120, 100)], ring(120, 100)))[4]
    (arrows,) = [part for part in panel.collections if isinstance(part, Quiver)]
    assert (arrows.U < 0).all()
    assert (arrows.V == 0).all()
    assert 50 < arrows.N <= 19 * 19


def test_offsets_of_nothing_have_no_arrows() -> None:
    stage = stage_of(0, (1, 1), 48, 40)
    stage.arrows[:] = 0
    panel = pictures(figure_of([stage], ring(48, 40)))[4]
    assert not [part for part in panel.collections if isinstance(part, Quiver)]


def test_of_a_volume_each_stage_shows_its_slice_at_that_depth() -> None:
    stages = [stage_of(0, (1, 1, 1), 4, 48, 40), stage_of(1, (2, 2, 2), 2, 24, 20)]
    panels = pictures(figure_of(stages, ring(4, 48, 40), depth=3))
    for panel, stage, depth in ((panels[1], stages[0], 3), (panels[6], stages[1], 1)):
        np.testing.assert_array_equal(panel.images[0].get_array(), stage.maps["kernel_width"][depth, ::-1, ::-1])


def test_a_constant_map_and_image_are_drawn(pixels: Pixels) -> None:
    stage = stage_of(0, (1, 1), 48, 40)
    for values in stage.maps.values():
        values[:] = 0
    labels = ring(48, 40)
    subject = FusedPatch(np.zeros((48, 40), np.float32), labels, 0, (1.5, 1.5), NAMES)
    assert pixels(fusion_figure([stage], border_rows(stage, labels), subject)).std() > 0.1
