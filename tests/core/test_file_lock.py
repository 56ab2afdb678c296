import subprocess
import sys
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.file_lock import locked

HOLD = """
import sys
from pathlib import Path
from uumamba.core.file_lock import locked
with locked(Path(sys.argv[1]), otherwise=""):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_one_holds_it_and_its_file_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".x.lock"
    for _ in range(2):
        with locked(path, otherwise="taken"):
            assert path.is_file()
            with pytest.raises(InputError, match="taken"), locked(path, otherwise="taken"):
                pytest.fail("locked twice")
            assert path.is_file()
        assert not path.exists()


def test_its_file_goes_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "x", otherwise="taken"):
        raise KeyError
    assert not (tmp_path / "x").exists()


def test_that_of_a_killed_process_is_open(tmp_path: Path) -> None:
    path = tmp_path / "x"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(InputError, match="taken"), locked(path, otherwise="taken"):
        pytest.fail("locked twice")
    process.kill()
    process.communicate()
    assert path.is_file()
    with locked(path, otherwise="taken"):
        pass
    assert not path.exists()
