import multiprocessing
import os
import signal
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.processes import ALONE
from uumamba.training.run_directory import RunDirectory


def locked(directory: RunDirectory) -> AbstractContextManager[None]:
    """As a new run does."""
    return directory.locked(ALONE, resume=False, overwrite=False)


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "runs" / "fold_0")
    with (
        locked(directory),
        pytest.raises(
            InputError, match="another process is training there; wait for its end, or choose another --name"
        ),
        locked(RunDirectory(directory.path)),
    ):
        pytest.fail("locked twice")
    with locked(directory), locked(RunDirectory(tmp_path / "runs" / "fold_1")):
        assert not directory.path.exists()
    assert list(directory.path.parent.iterdir()) == []


def test_whoever_gets_the_lock_looks_again(tmp_path: Path) -> None:
    """A run may have come and gone between the first look and the lock."""
    directory = RunDirectory(tmp_path / "fold_0")
    directory.check(resume=False, overwrite=False)
    directory.path.mkdir()
    directory.last.write_text("a checkpoint")
    with pytest.raises(InputError, match="holds a run"), locked(directory):
        pytest.fail("locked")
    with directory.locked(ALONE, resume=True, overwrite=False):
        pass


def test_what_killed_processes_left_half_written_goes(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    left_over = tmp_path / ".4242-last.safetensors"
    for file in (left_over, directory.last, directory.log):
        file.write_text("x")
    with directory.locked(ALONE, resume=True, overwrite=False):
        assert not left_over.exists()
        assert directory.last.exists()
        assert directory.log.exists()


def _hold(path: Path, told: Connection) -> None:
    with locked(RunDirectory(path)):
        told.send("locked")
        signal.pause()


def test_the_lock_of_a_killed_run_is_open(tmp_path: Path) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path / "fold_0", there))
    process.start()
    assert here.poll(60)
    with pytest.raises(InputError, match="another process"), locked(RunDirectory(tmp_path / "fold_0")):
        pytest.fail("locked twice")
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with locked(RunDirectory(tmp_path / "fold_0")):
        pass


def test_a_run_is_finished_when_its_record_says_so(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert not directory.is_finished
    directory.record.write_text('{"seed": 0}')
    assert not directory.is_finished
    directory.record.write_text('{"seed": 0, "finished": {}}')
    assert directory.is_finished


def test_a_coarse_network_alone_is_a_run_that_has_begun(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "fold_0")
    assert not directory.has_begun
    directory.roi.begin()
    directory.roi.last.write_text("a checkpoint")
    assert directory.has_begun
    assert directory.roi.whole.path == directory.path
    assert directory.whole is directory
    directory.check(resume=True, overwrite=False)
    with pytest.raises(InputError, match="holds a run"):
        directory.check(resume=False, overwrite=False)


def test_a_new_run_keeps_nothing_but_its_own_coarse_network(tmp_path: Path) -> None:
    directory, elsewhere = RunDirectory(tmp_path / "fold_0"), tmp_path / "elsewhere"
    directory.roi.begin()
    elsewhere.mkdir()
    (directory.path / "overlays").symlink_to(elsewhere)
    for file in (directory.last, directory.roi.last, elsewhere / "mine"):
        file.write_text("x")
    directory.begin(keep_roi=True)
    assert [path.name for path in directory.path.iterdir()] == ["roi"]
    assert directory.roi.last.exists()
    assert (elsewhere / "mine").exists()
    directory.begin()
    assert list(directory.path.iterdir()) == []
