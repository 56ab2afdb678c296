"""How many cases are read side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.faulty import write_clean
from uumamba.data.case import Case
from uumamba.data.checks.cases import CasesToCheck
from uumamba.data.checks.size import BYTES_OF_A_PROCESS, bytes_of_case, processes_that_fit, voxels_of
from uumamba.imaging.files import write_image
from uumamba.imaging.image import Image


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CasesToCheck:
    """A clean data set."""
    return write_clean(tmp_path_factory.mktemp("data"), "MRI")


def unasked(_: Sequence[Path]) -> list[int]:
    """A measure that must not be needed."""
    raise AssertionError("measured")


def test_small_files_need_no_measuring(cases: CasesToCheck) -> None:
    assert processes_that_fit(cases.training, 7, free_bytes=10**11, measure=unasked) == 7


@pytest.mark.parametrize(("room", "fitting"), [(3.5, 3), (2.0, 2), (0.1, 1)])
def test_as_many_large_cases_as_memory_holds(tmp_path: Path, room: float, fitting: int) -> None:
    file = tmp_path / "large.nii"
    with file.open("wb") as sparse:
        sparse.truncate(10**9)
    cases = [Case("large", "large", (file,), None)]
    free = int(room * bytes_of_case(10**8, 1) / 0.8) + 1
    assert processes_that_fit(cases, 7, free_bytes=free, measure=lambda _: [10**8]) == fitting


def test_a_process_is_counted_without_any_voxel() -> None:
    assert bytes_of_case(0, 1) == BYTES_OF_A_PROCESS


def test_voxels_are_those_of_the_header(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii.gz", Image(np.zeros((3, 4, 5), np.float32), np.eye(4)))
    assert voxels_of(tmp_path / "a.nii.gz") == 60
    assert voxels_of(tmp_path / "b.nii.gz") == 0
