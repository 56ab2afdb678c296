import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.processes import ALONE, Processes
from uumamba.training.run_directory import RunDirectory


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "runs" / "fold_0")
    with (
        directory.locked(ALONE),
        pytest.raises(
            InputError, match="another process is training there; wait for its end, or choose another --name"
        ),
        RunDirectory(directory.path).locked(ALONE),
    ):
        pytest.fail("locked twice")
    with directory.locked(ALONE), RunDirectory(tmp_path / "runs" / "fold_1").locked(ALONE):
        assert not directory.path.exists()


def test_the_processes_of_one_run_do_not_lock_each_other_out(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "fold_0")
    with directory.locked(Processes("srun", 0, 2)), directory.locked(Processes("srun", 1, 2, 1)):
        pass


def _hold(path: Path, told: Connection) -> None:
    with RunDirectory(path).locked(ALONE):
        told.send("locked")
        signal.pause()


def test_the_lock_of_a_killed_run_is_open(tmp_path: Path) -> None:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path / "fold_0", there))
    process.start()
    assert here.poll(60)
    with pytest.raises(InputError, match="another process"), RunDirectory(tmp_path / "fold_0").locked(ALONE):
        pytest.fail("locked twice")
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    with RunDirectory(tmp_path / "fold_0").locked(ALONE):
        pass


def test_a_run_is_finished_when_its_record_says_so(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert not directory.is_finished
    directory.record.write_text('{"seed": 0}')
    assert not directory.is_finished
    directory.record.write_text('{"seed": 0, "finished": {}}')
    assert directory.is_finished
