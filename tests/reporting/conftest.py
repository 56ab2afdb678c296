"""Figures as pixels."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from uumamba.reporting.style import save_figure


@pytest.fixture
def pixels(tmp_path: Path) -> "Pixels":
    """Write a figure as PNG and read it again: (height, width, channel) in [0, 1]."""
    return Pixels(tmp_path / "figures" / "figure.png")


class Pixels:
    """Writes a figure to a file and gives its pixels."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, figure: Figure) -> np.ndarray:
        save_figure(figure, self.path)
        assert self.path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        return np.asarray(imread(self.path))
