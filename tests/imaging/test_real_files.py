"""The real images beside the project, where they are."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from uumamba.imaging.files import find_images, read_image, read_label_map
from uumamba.imaging.grid import require_same_grid

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no shared/data folder beside the project")

READ_ALL = """
import sys
from pathlib import Path
from uumamba.core.errors import InputError
from uumamba.imaging.files import read_image, read_label_map
for path in map(Path, sys.argv[1:]):
    for read in (read_image, lambda path: read_image(path, max_dimensions=4), read_label_map):
        try:
            print("image", path.name, read(path).shape)
        except InputError as error:
            print("error", error)
"""


@needs_data
def test_awkward_files_never_crash_and_are_an_image_or_one_line() -> None:
    paths = sorted(str(path) for path in (DATA / "awkward").rglob("*") if path.is_file())
    done = subprocess.run([sys.executable, "-c", READ_ALL, *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(paths) >= 12
    assert len(lines) == 3 * len(paths)
    assert {line.split()[0] for line in lines} == {"image", "error"}


@needs_data
@pytest.mark.parametrize(
    ("patient", "frame", "volumes_ml"),
    [(1, 1, (139.7, 164.3, 295.5)), (90, 4, (217.8, 60.0, 77.6))],
)
def test_acdcs_volumes(patient: int, frame: int, volumes_ml: tuple[float, ...]) -> None:
    folder = DATA / "acdc" / "database" / "training" / f"patient{patient:03d}"
    image = read_image(folder / f"patient{patient:03d}_frame{frame:02d}.nii.gz")
    label_map = read_label_map(folder / f"patient{patient:03d}_frame{frame:02d}_gt.nii.gz")
    require_same_grid(image, label_map, "image", "label map")
    assert len(image.repairs) == 1
    voxel_ml = np.prod(label_map.spacing_mm) / 1000
    assert [round(float((label_map.data == number).sum() * voxel_ml), 1) for number in (1, 2, 3)] == list(volumes_ml)


@needs_data
@pytest.mark.parametrize("name", ["sunnybrook/nifti", "aorta_ct"])
def test_real_folders_are_read_without_repairs(name: str) -> None:
    images = find_images(DATA / name)
    assert len(images) >= 8
    assert all(read_image(path).repairs == () for path in images)
