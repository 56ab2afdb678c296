"""`uumamba check`: what it prints, writes and exits with."""

import csv
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.deadly import Deadly
from tests.fakes.faulty import write_clean
from tests.fakes.program import uumamba
from uumamba.core.files import read_json
from uumamba.data.problem import KINDS, Problem
from uumamba.imaging.files import read_label_map, write_label_map
from uumamba.workflows import case_processes
from uumamba.workflows.check import examine
from uumamba.workflows.check_result import CheckResult
from uumamba.workflows.check_screen import tables

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide screen."""
    monkeypatch.setenv("COLUMNS", "200")


def check(data: Path, output: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and document of a check of a data set in ACDC's layout."""
    code = uumamba("check", "--dataset", "acdc", "--data", data, "--output", output, "--set", "hardware.processes=1")
    return code, read_json(output / "check.json")


def test_good_data_exits_with_0_and_its_repaired_headers_are_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = check(data, tmp_path)
    assert code == 0
    assert document["counts"] == {"blocks": 0, "warning": 0, "note": 24}
    screen = capsys.readouterr().out
    assert screen.count("the sform says") == 1
    assert "... and 23 more of this cause" in screen
    assert "12 cases in" in screen


def test_every_problem_is_in_both_files_and_exits_with_2(
    my_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut, strange = sorted(my_data.glob("database/training/*/*_gt.nii.gz"))[:2]
    cut.write_bytes(cut.read_bytes()[:-100])
    labels = read_label_map(strange)
    write_label_map(strange, np.where(labels.data == 3, 7, labels.data).astype(np.uint8), like=labels)
    code, document = check(my_data, tmp_path / "out")
    assert code == 2
    blocking = [problem for problem in document["problems"] if problem["severity"] == "blocks"]
    assert [(problem["kind"], problem["file"]) for problem in blocking] == [
        ("unreadable", str(cut)),
        ("labels", str(strange)),
    ]
    with (tmp_path / "out" / "check.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == document["problems"]
    captured = capsys.readouterr()
    assert "cut short or damaged gzip file" in captured.out
    assert "found also 7" in captured.out
    assert captured.err.endswith(f"uumamba: {my_data}: problems that block: 2; correct them and check again\n")


def test_a_folder_of_images_needs_no_data_set(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("check", "--data", data / "database" / "testing", "--set", "hardware.processes=1") == 0
    assert "2 cases in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"check.json": "{}"}, "holds a check.json that is not of a check; give another --output, or move it"),
        ({"check.csv": ""}, "holds a check.csv that is not of a check; give another --output, or move it"),
    ],
)
def test_a_file_that_is_not_a_checks_is_kept(
    files: dict[str, str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert uumamba("check", "--data", tmp_path, "--output", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --dataset, or --data with a folder of images, or both"),
        (("--data", "."), ".: no images here; give the folder that holds them, or a --dataset"),
        (("--data", ".", "--output", "file"), "file: is a file; give a folder as --output"),
    ],
)
def test_wrong_input_is_told(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert uumamba("check", *arguments) == 2
    assert f"uumamba: {message}\n" in capsys.readouterr().err


def test_a_file_that_ends_its_process_is_that_files_problem(tmp_path: Path) -> None:
    cases = write_clean(tmp_path, "MRI")
    facts = examine(cases.training[:5], Deadly(), processes=2)
    assert [found.case for found in facts] == list(cases.training[:5])
    assert [[(problem.kind, problem.file.name, problem.what) for problem in found.problems] for found in facts] == [
        [("crash", "case03.nii.gz", "reading it ended the process (signal SIGABRT)")] if number == 3 else []
        for number in range(5)
    ]


def test_of_a_case_in_frames_the_file_that_ends_its_process_is_found(tmp_path: Path) -> None:
    case = write_clean(tmp_path, "MRI").training[3]
    (found,) = examine([replace(case, images=case.images * 2, frames=(0, 0), label_frame=0)], Deadly(), 1)
    assert [(problem.file.name, problem.what) for problem in found.problems] == [
        ("case03.nii.gz", "reading it ended the process (signal SIGABRT)")
    ]
    assert found.problems[0].file == case.label_map


@pytest.mark.parametrize("free", [10**12, 1])
def test_as_many_cases_at_once_as_memory_has_room_for(
    free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cases = write_clean(tmp_path, "MRI")
    without = replace(cases.training[0], label_map=None)
    monkeypatch.setattr(case_processes, "available_bytes", lambda _: free)
    with caplog.at_level(logging.INFO):
        facts = examine([without, *cases.training[1:3]], cases.check_test, None)
    assert [found.problems for found in facts] == [()] * 3
    assert ("cases are checked one by one" in caplog.text) == (free == 1)


def test_the_screen_shows_the_first_of_many_problems_of_one_cause() -> None:
    problems = tuple(
        Problem(Path(f"/data/{number}.nii"), f"lies {number} mm off, as [b] says", "move it", kind="grid")
        for number in range(25)
    )
    table, line = tables(CheckResult(None, Path("/data"), 25, 1.0, problems))
    assert not isinstance(table, str)
    assert table.row_count == 11
    assert list(table.columns[0].cells)[:2] == ["0.nii", "1.nii"]
    assert list(table.columns[1].cells)[-1] == "... and 15 more of this cause"
    assert line == "25 cases in /data checked in 1.0 s: blocking 25, warnings 0, notes 0"


def test_every_kind_of_problem_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(KINDS)
