"""The aorta phantom: all 23 labels on every grid, sides that mirror each other, and AortaSeg24's tree of files."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import label

from tests.fakes.aorta import TINY, write_fake
from uumamba.data.phantom_aorta import SMALL_AORTA, draw_aorta, render_aorta
from uumamba.data.phantom_tubes import PhantomGrid
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.orientation import to_canonical

FINE = PhantomGrid((111, 111, 175), (4.0, 4.0, 4.0))
PAIRS = ((15, 16), (18, 19), (20, 21), (22, 23))


@pytest.mark.parametrize("grid", [TINY, SMALL_AORTA, FINE])
@pytest.mark.parametrize("seed", range(4))
def test_every_label_is_there_and_all_are_one_piece(grid: PhantomGrid, seed: int) -> None:
    labels, _ = draw_aorta(grid, np.random.default_rng(seed))
    assert set(np.unique(labels)) == set(range(24))
    assert label(labels, np.ones((3, 3, 3)))[1] == 1


def test_sides_mirror_each_other_and_right_is_right() -> None:
    labels, _ = draw_aorta(FINE, np.random.default_rng(1))
    mirrored = labels[::-1]
    for right, left in PAIRS:
        differing = np.count_nonzero((labels == right) != (mirrored == left))
        assert differing < 0.1 * np.count_nonzero(labels == right)  # where both meet, the one drawn last wins
        assert np.argwhere(labels == right)[:, 0].mean() > np.argwhere(labels == left)[:, 0].mean()


def test_the_scan_shows_contrast_in_the_vessels() -> None:
    image, labels = render_aorta(FINE, np.random.default_rng(2))
    assert image[labels == 9].mean() > 180
    assert np.median(image[labels == 0]) < 0


def test_the_tree_is_aortaseg24s_own(tmp_path: Path) -> None:
    write_fake(tmp_path, numbers=(1, 2, 3, 4))
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        f"subject00{number}_label.mha" for number in range(1, 5)
    ]
    directions = set()
    for path in sorted((tmp_path / "images").iterdir()):
        assert path.name.endswith("_CTA.mha")
        stored = SimpleITK.ReadImage(str(path))
        assert stored.GetPixelID() == SimpleITK.sitkInt16
        assert stored.GetDirection() != (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        directions.add(tuple(np.round(stored.GetDirection(), 6).tolist()))
        mask = read_label_map(tmp_path / "masks" / path.name.replace("_CTA", "_label"))
        canonical, _ = to_canonical(mask)
        assert to_canonical(read_image(path))[0].shape == canonical.shape == TINY.shape
        right, left = (np.argwhere(canonical.data == number)[:, 0].mean() for number in (18, 19))
        assert right > left
    assert len(directions) == 4
