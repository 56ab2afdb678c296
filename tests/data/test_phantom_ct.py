"""The CT phantoms' painting: Hounsfield units where they belong, and files in any orientation."""

from pathlib import Path

import numpy as np
import pytest

from uumamba.data.phantom_ct import AIR_HU, FAT_HU, Organ, Storage, paint_ct, write_pair
from uumamba.data.phantom_tubes import PhantomGrid
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.grid import directions_of, require_same_grid
from uumamba.imaging.orientation import to_canonical

GRID = PhantomGrid((20, 24, 37), (2.0, 1.5, 3.0))
STORAGES = (
    Storage(),
    Storage(backwards=(False, False, False)),
    Storage(axes=(0, 2, 1), backwards=(True, False, True)),
    Storage(tilt_degrees=4.0),
)


def painted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A ball of fat with a vessel in it, and the label map."""
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[3:5, 10:13, 5:30] = 2
    organs = [Organ((0, 0, 0), (16, 15, 45), FAT_HU)]
    image = paint_ct(labels, GRID, organs, np.random.default_rng(seed), vessel_hu=400, noise_hu=10)
    return image, labels


def test_tissues_have_their_units_and_the_noise_its_strength() -> None:
    image, labels = painted()
    assert image.dtype == np.int16
    assert np.median(image[:3, :3]) == pytest.approx(AIR_HU, abs=5)
    inside = image[9:13, 8:16, 12:24]
    assert inside.mean() == pytest.approx(FAT_HU, abs=3)
    assert inside.std() == pytest.approx(10, rel=0.3)
    assert image[labels == 2].mean() > 150


def test_equal_seeds_give_equal_scans() -> None:
    np.testing.assert_array_equal(painted()[0], painted()[0])
    assert (painted()[0] != painted(1)[0]).any()


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_way_to_store_it_is_the_same_patient(storage: Storage, suffix: str, tmp_path: Path) -> None:
    image, labels = painted()
    paths = tmp_path / f"a{suffix}", tmp_path / f"a_label{suffix}"
    write_pair(*paths, image, labels, GRID, storage)
    scan, label_map = read_image(paths[0]), read_label_map(paths[1])
    require_same_grid(scan, label_map, "scan", "label map")
    canonical, _ = to_canonical(scan)
    np.testing.assert_array_equal(canonical.data, image)
    np.testing.assert_array_equal(to_canonical(label_map)[0].data, labels)
    assert canonical.spacing_mm == pytest.approx(GRID.spacing_mm)
    if not storage.tilt_degrees:
        np.testing.assert_allclose(directions_of(canonical.affine), np.eye(3), atol=1e-6)
