"""The file and its note."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from uumamba.reporting.style import COLOURS, DOTS_PER_INCH, new_figure, save_figure, structure_colour, write_figure


def test_png_has_the_size_asked_for_and_the_note(pixels: Callable[[Figure], np.ndarray]) -> None:
    picture = pixels(new_figure(4.0, 3.0))
    assert picture.shape[:2] == (3 * DOTS_PER_INCH, 4 * DOTS_PER_INCH)
    assert (picture[-25:, 150:, 0] < 0.9).any()
    assert (picture[:-25] == 1).all()


def test_equal_figures_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_figure(new_figure(2.0, 2.0), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_figure_may_be_saved_twice(tmp_path: Path) -> None:
    figure = new_figure(2.0, 2.0)
    save_figure(figure, tmp_path / "a.png")
    save_figure(figure, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_picture_has_its_figures_title_and_may_be_written_to_memory(tmp_path: Path) -> None:
    figure, file = new_figure(2.0, 2.0), io.BytesIO()
    figure.suptitle("ä, mean Dice 0.5")
    save_figure(figure, tmp_path / "a.png")
    write_figure(figure, file)
    assert file.getvalue() == (tmp_path / "a.png").read_bytes()
    with Image.open(file) as picture:
        assert picture.info["Title"] == "ä, mean Dice 0.5"


def test_structures_have_colours_of_their_own() -> None:
    assert len({structure_colour(number) for number in range(1, 8)}) == len(COLOURS)
    assert structure_colour(8) == structure_colour(1)


def test_no_pyplot_state(pixels: Callable[[Figure], np.ndarray]) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pixels(new_figure(2.0, 2.0))
    assert pyplot.get_fignums() == []
