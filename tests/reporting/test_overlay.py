"""The contact sheet shows every labelled slice, in the right place and proportion."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.reporting.overlay import _differences, overlay_figure, spread_slices

Pixels = Callable[[Figure], np.ndarray]
LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))
SPACING_MM = (1.5, 1.5, 8.0)


def heart(shape: tuple[int, int, int] = (60, 50, 7), shift: int = 0) -> np.ndarray:
    """A ring (2) around a disc (3) beside a block (1), in all slices but the first and the last."""
    x, y, _ = np.indices(shape)
    distance = np.hypot(x - 25 - shift, y - 25)
    labels = np.zeros(shape, np.uint8)
    labels[(x > 33 + shift) & (x < 45 + shift) & (np.abs(y - 25) < 6)] = 1
    labels[distance < 10] = 2
    labels[distance < 6] = 3
    labels[..., [0, -1]] = 0
    return labels


def image_of(labels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=labels.shape)
    return np.array([20.0, 100.0, 40.0, 120.0])[labels] + 5 * noise


def drawn(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.images]


def test_one_picture_per_labelled_slice(pixels: Pixels) -> None:
    labels = heart()
    figure = overlay_figure(image_of(labels), labels, spacing_mm=SPACING_MM, labels=LABELS, title="case")
    assert [axes.get_title() for axes in drawn(figure)] == [f"slice {n}" for n in range(2, 7)]
    assert pixels(figure).std() > 0.1


def test_regions_are_drawn_with_the_later_on_top(pixels: Pixels) -> None:
    """So the picture is that of their painted label map."""
    regions = LabelSet(
        names=("background", "heart", "left", "LV"), regions=((1, 2, 3), (2, 3), (3,)), written=(2, 3, 3)
    )
    swapped = LabelSet(
        names=("background", "all", "odd", "block"), regions=((1, 2, 3), (1, 3), (1,)), written=(2, 3, 1)
    )
    labels = heart()
    for each in (regions, swapped):
        direct, painted = (
            overlay_figure(image_of(labels), shown, spacing_mm=SPACING_MM, labels=named, reference=shown)
            for shown, named in ((labels, each), (each.paint(labels), each.painted))
        )
        np.testing.assert_array_equal(pixels(direct), pixels(painted))


def test_with_a_reference_each_slice_has_two_pictures(pixels: Pixels) -> None:
    labels = heart()
    figure = overlay_figure(
        image_of(labels), heart(shift=2), spacing_mm=SPACING_MM, labels=LABELS, reference=labels, title="Dice RV 0.9"
    )
    assert len(drawn(figure)) == 10
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert [f"{name} predicted" for name in ("RV", "MYO", "LV")] == texts[:3]
    assert texts[4:] == ["difference: too much", "difference: missed", "difference: other structure"]
    assert pixels(figure).std() > 0.1


@pytest.mark.parametrize(("count", "expected"), [(1, [1]), (2, [1, 5]), (3, [1, 3, 5]), (99, [1, 2, 3, 4, 5])])
def test_slices_are_spread_over_the_labelled_ones(count: int, expected: list[int]) -> None:
    assert spread_slices(heart() > 0, count) == expected


def test_at_most_twelve_slices_unless_they_are_named() -> None:
    labels = heart((60, 50, 40))
    figure = overlay_figure(image_of(labels), labels, spacing_mm=SPACING_MM, labels=LABELS)
    assert [axes.get_title() for axes in drawn(figure)][::11] == ["slice 2", "slice 39"]
    figure = overlay_figure(image_of(labels), labels, spacing_mm=SPACING_MM, labels=LABELS, slices=(0, 7))
    assert [axes.get_title() for axes in drawn(figure)] == ["slice 1", "slice 8"]


def test_slices_of_the_reference_alone_are_shown_too() -> None:
    labels = heart()
    nothing = np.zeros_like(labels)
    figure = overlay_figure(image_of(labels), nothing, spacing_mm=SPACING_MM, labels=LABELS, reference=labels)
    assert len(drawn(figure)) == 10


def test_a_case_without_any_label_is_shown_whole(pixels: Pixels) -> None:
    image = image_of(heart())
    figure = overlay_figure(image, np.zeros(image.shape, np.uint8), spacing_mm=SPACING_MM, labels=LABELS)
    assert len(drawn(figure)) == 7
    assert drawn(figure)[0].images[0].get_array().shape == (50, 60)
    assert pixels(figure).std() > 0.02


def test_radiological_view() -> None:
    labels = heart()
    image = np.zeros(labels.shape)
    image[45, 36] = 1.0
    figure = overlay_figure(image, labels, spacing_mm=(8.0, 8.0, 8.0), labels=LABELS)
    shown = np.asarray(drawn(figure)[0].images[0].get_array())
    ((row, column),) = np.argwhere(shown == 1)
    assert row < shown.shape[0] / 2, "anterior (large y) is up"
    assert column < shown.shape[1] / 2, "the patient's right (large x) is on the left"


def test_voxels_have_their_true_proportion() -> None:
    labels = heart()
    figure = overlay_figure(image_of(labels), labels, spacing_mm=(1.0, 2.0, 8.0), labels=LABELS)
    assert {axes.get_aspect() for axes in drawn(figure)} == {2.0}


def test_grey_window_ignores_single_bright_voxels() -> None:
    labels = heart((100, 100, 7))
    image = image_of(labels)
    image[25, 25, 3] = 1e6
    low, high = drawn(overlay_figure(image, labels, spacing_mm=SPACING_MM, labels=LABELS))[0].images[0].get_clim()
    assert 0 <= low < high < 200


def test_constant_image_can_be_drawn(pixels: Pixels) -> None:
    labels = heart()
    assert pixels(overlay_figure(np.ones(labels.shape), labels, spacing_mm=SPACING_MM, labels=LABELS)).std() > 0.05


def test_reference_lines_run_along_voxel_edges() -> None:
    labels = np.zeros((9, 9, 1), np.uint8)
    labels[4, 4, 0] = 1
    image = np.random.default_rng(0).normal(size=labels.shape)
    figure = overlay_figure(image, labels, spacing_mm=(9.0, 9.0, 9.0), labels=LABELS, reference=labels)
    (lines,) = [item for item in drawn(figure)[0].collections if isinstance(item, LineCollection)]
    ends = np.array(lines.get_segments())
    assert ends.shape == (4, 2, 2)
    assert set(ends[..., 0].ravel()) == set(ends[..., 1].ravel()) == {2.5, 3.5}


@settings(max_examples=30, deadline=None)
@given(maps=arrays(np.uint8, (2, 5, 6), elements=st.integers(0, 3)))
def test_differences_are_told_once_and_completely(maps: np.ndarray) -> None:
    prediction, reference = maps
    kinds = _differences(prediction, reference)
    total = np.sum(list(kinds.values()), axis=0)
    np.testing.assert_array_equal(total, (prediction != reference).astype(int))
    swapped = _differences(reference, prediction)
    np.testing.assert_array_equal(kinds["too much"], swapped["missed"])
    np.testing.assert_array_equal(kinds["other structure"], swapped["other structure"])


@pytest.mark.parametrize(
    ("prediction", "reference", "message"),
    [
        ((4, 4, 3), None, r"image \(4, 4, 2\), prediction \(4, 4, 3\); bring them onto one grid"),
        ((4, 4, 2), (4, 2, 4), r"prediction \(4, 4, 2\), reference \(4, 2, 4\)"),
    ],
)
def test_shapes_must_agree(prediction: tuple[int, ...], reference: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        overlay_figure(
            np.zeros((4, 4, 2)),
            np.zeros(prediction, np.uint8),
            spacing_mm=SPACING_MM,
            labels=LABELS,
            reference=None if reference is None else np.zeros(reference, np.uint8),
        )


def test_only_volumes() -> None:
    with pytest.raises(InputError, match=r"needs 3D arrays \(x, y, z\) of one shape"):
        overlay_figure(np.zeros((4, 4)), np.zeros((4, 4)), spacing_mm=SPACING_MM, labels=LABELS)
