"""As many cases at once as cores and memory allow."""

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.plan import fake_plan
from uumamba.core.errors import TooLargeError
from uumamba.core.machine import available_cores
from uumamba.data.case import Case
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.workflows.case_processes import CaseProcesses, number_of_processes, processes_that_fit

GB = 10**9


@pytest.mark.parametrize(
    ("cores", "largest", "available", "expected"),
    [(8, GB, 100 * GB, 8), (8, 5 * GB, 24 * GB, 4), (8, 5 * GB, 11 * GB, 1), (8, 5 * GB, 6 * GB, 1), (2, 0, 9 * GB, 2)],
)
def test_as_many_as_fit_beside_this_process(cores: int, largest: int, available: int, expected: int) -> None:
    assert processes_that_fit(cores, largest, held=GB // 2, available=available) == expected


def test_too_little_memory_for_one_is_told_with_numbers() -> None:
    with pytest.raises(
        TooLargeError,
        match=r"takes 5\.5 GB of memory where 4\.0 GB may be used: 1\.5 GB are missing; .* hardware\.processes=1",
    ):
        processes_that_fit(8, 5 * GB, held=GB // 2, available=4 * GB)


def test_what_is_asked_for_is_what_comes_however_much_it_takes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert number_of_processes("preprocess 2d", [GB, 10**15], 3) == 3
    assert "preprocess 2d: 3 processes, as asked; the largest case takes 1000000.0 GB" in caplog.text
    with pytest.raises(TooLargeError):
        number_of_processes("preprocess 2d", [GB, 10**15], None)


def test_the_log_says_how_many_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert number_of_processes("preprocess 2d", [], None) == available_cores()
    assert f"preprocess 2d: {available_cores()} processes" in caplog.text


def test_sizes_come_from_the_headers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    image = Image(np.zeros((6, 5, 4), np.float32), np.eye(4))
    write_image(tmp_path / "a.nii.gz", image)
    write_label_map(tmp_path / "a_gt.nii.gz", np.zeros((6, 5, 4), np.uint8), image)
    (tmp_path / "b.nii.gz").write_bytes(b"nothing")
    cases = [Case(name, name, (tmp_path / f"{name}.nii.gz",), tmp_path / "a_gt.nii.gz") for name in ("a", "b")]
    processes = CaseProcesses.of(cases, None)
    assert sorted(processes.sizes) == ["a"]
    assert [file.voxel_bytes for file in (*processes.sizes["a"].images, processes.sizes["a"].label_map)] == [4, 1]
    assert processes.to_check(cases) == processes.to_store("store", cases, fake_plan((8, 8, 8))) == available_cores()
