"""No result is lost by writing another batch into its folder."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference.test_case_table import FAILED, FLAGGED
from uumamba.core.errors import InputError
from uumamba.inference.case_table import write_cases
from uumamba.inference.inputs import CaseInput
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.shard import Shard

CASES = [CaseInput("b", (Path("b.nii"),)), CaseInput("c", (Path("c.nii"),))]


@pytest.fixture
def full(tmp_path: Path) -> OutputFolder:
    """A folder with a batch's results, and a file of the user's."""
    for name in ("sub/a.nii.gz", "b.nii.gz", "b_entropy.nii.gz", "run.json", "notes.txt", ".77-b.nii.gz"):
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder = OutputFolder(tmp_path / "out")
    write_cases(folder.table, [FAILED, FLAGGED])
    return folder


def files(folder: OutputFolder) -> set[str]:
    return {path.relative_to(folder.path).as_posix() for path in folder.path.rglob("*") if path.is_file()}


def test_names() -> None:
    whole, part = OutputFolder(Path("out")), OutputFolder(Path("out"), Shard(2, 3))
    assert (whole.table, whole.record) == (Path("out/cases.csv"), Path("out/run.json"))
    assert (part.table, part.record) == (Path("out/cases_2_of_3.csv"), Path("out/run_2_of_3.json"))
    assert [path.as_posix() for path in whole.files("a/b")] == [
        "out/a/b.nii.gz", "out/a/b_entropy.nii.gz", "out/a/b_disagreement.nii.gz",
    ]  # fmt: skip


def test_a_new_folder_is_made_and_goes_if_nothing_came_of_it(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "deep" / "out")
    made: list[bool] = []

    def fail() -> None:
        with folder.made(resume=False, overwrite=False):
            made.append(folder.path.is_dir())
            raise InputError("no model")

    with pytest.raises(InputError, match="no model"):
        fail()
    assert made == [True]
    assert not folder.path.exists()
    with folder.made(resume=False, overwrite=False):
        write_cases(folder.table, [])
    assert folder.table.is_file()


def test_what_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "out"):
        with (
            pytest.raises(InputError, match=r"--output .*: cannot be written to \(.*\); give a folder that can"),
            OutputFolder(path).made(resume=False, overwrite=False),
        ):
            pass


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(InputError, match="Permission denied"),
        OutputFolder(tmp_path).made(resume=False, overwrite=False),
    ):
        pass


def test_another_batchs_results_are_refused_with_the_ways_out(full: OutputFolder) -> None:
    for shard in (None, Shard(1, 2)):
        with (
            pytest.raises(
                InputError, match=r"a batch \(cases\.csv\); --resume goes on .*, --overwrite replaces it, or"
            ),
            replace(full, shard=shard).made(resume=False, overwrite=False),
        ):
            pass


def test_jobs_of_one_array_share_a_folder_and_others_do_not(tmp_path: Path) -> None:
    first, second, other = (OutputFolder(tmp_path, Shard(*numbers)) for numbers in ((1, 2), (2, 2), (1, 3)))
    write_cases(first.table, [])
    with second.made(resume=False, overwrite=False):
        assert second.begin(CASES, resume=False, overwrite=False) == {}
    for folder in (first, other, OutputFolder(tmp_path)):
        with pytest.raises(InputError, match=r"cases_1_of_2\.csv"), folder.made(resume=False, overwrite=False):
            pass


def test_two_processes_never_write_one_table(tmp_path: Path) -> None:
    whole, first, second = (OutputFolder(tmp_path, shard) for shard in (None, Shard(1, 2), Shard(2, 2)))
    refusal = r"another process is at work there \(\.cases.*\.lock\); wait for its end, or give another folder"
    for at_work, refused in ((whole, whole), (first, first), (first, whole), (whole, first)):
        with at_work.made(resume=True, overwrite=False):
            with pytest.raises(InputError, match=refusal), refused.made(resume=True, overwrite=False):
                pytest.fail("locked twice")
            assert list(tmp_path.iterdir())
        assert list(tmp_path.iterdir()) == []
    with first.made(resume=True, overwrite=False), second.made(resume=True, overwrite=False):
        assert len(list(tmp_path.iterdir())) == 2


def test_other_programs_tables_and_records_are_never_replaced(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.record.write_text("{}")
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with (
            pytest.raises(InputError, match=r"run\.json: the record of something else"),
            folder.made(resume=resume, overwrite=overwrite),
        ):
            pass
    folder.table.write_text("case,image\n")
    with (
        pytest.raises(InputError, match=r"cases\.csv: not a table of this program"),
        folder.made(resume=False, overwrite=True),
    ):
        pass


def test_a_file_that_no_batch_wrote_is_not_replaced(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    (tmp_path / "b_entropy.nii.gz").touch()
    with pytest.raises(
        InputError, match=r"b_entropy\.nii\.gz: is there already, and no cases\.csv .*or --overwrite to"
    ):
        folder.begin(CASES, resume=True, overwrite=False)
    assert folder.begin(CASES, resume=False, overwrite=True) == {}


def test_resuming_takes_the_rows_of_all_tables(full: OutputFolder) -> None:
    write_cases(replace(full, shard=Shard(1, 2)).table, [replace(FLAGGED, case="c"), replace(FLAGGED, code="older")])
    before = full.begin(CASES, resume=True, overwrite=False)
    assert set(before) == {"sub/a", "b", "c"}
    assert before["b"].code == FLAGGED.code


def test_overwriting_removes_the_results_and_nothing_else(full: OutputFolder) -> None:
    with full.made(resume=False, overwrite=True):
        assert full.begin(CASES, resume=False, overwrite=True) == {}
    assert files(full) == {"notes.txt"}
